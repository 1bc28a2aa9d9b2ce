"""Looking after the server: its own checks, restored packages, mails, time zones (connect-wire-api §2.1)."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import Unavailable
from pilothouse.connect_api.body import JsonObject, flag, text_or_none
from pilothouse.connect_api.context import WireOf
from pilothouse.connect_api.shapes import moment
from pilothouse.content.service import caches
from pilothouse.db import Tx
from pilothouse.identity import service as people
from pilothouse.runtimes.matching import TITLES
from pilothouse.tasks import enqueue
from pilothouse.tasks.contract import TaskUnknown
from pilothouse.tasks.models import Task, TaskState

router = APIRouter()
CHECK = "system.check"
CHECKS_SHOWN = 100
STATES = {TaskState.QUEUED: "pending", TaskState.RUNNING: "running", TaskState.DONE: "done"}
OUTCOMES = {"good": "passed", "weak": "warning", "broken": "failed"}
LOCAL = "Local"


class CheckUnfinished(Unavailable):
    """The checks have not ended yet. Ask again in a moment."""

    code = "connect-api/check-unfinished"


@router.get("/v1/timezones")
@router.get("/timezones")
def timezones(caller: SignedIn) -> list[dict[str, str]]:
    """By name, with what they differ from UTC now."""
    now = clock.now()
    return [{"timezone": name, "offset": _offset(name, now)} for name in sorted(zoneinfo.available_timezones())]


@router.get("/v1/system/checks")
def checks(caller: SignedIn, wire: WireOf) -> list[dict[str, Any]]:
    """The runs that are kept, newest first."""
    require(caller, Permission.SETTINGS_READ)
    chosen = select(Task).where(Task.kind == CHECK).order_by(Task.id.desc()).limit(CHECKS_SHOWN)
    with wire.database.read() as tx:
        return [_run(task) for task in tx.scalars(chosen)]


@router.post("/v1/system/checks")
def start_checks(caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    """What `pilothouse doctor` looks at, as a background task."""
    require(caller, Permission.SETTINGS_READ)
    with wire.database.write() as tx:
        return _run(enqueue(tx, CHECK, {}, queue="system", actor_id=caller.id))


@router.get("/v1/system/checks/{id}")
def check(id: str, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return _run(_check(tx, caller, id))


@router.get("/v1/system/checks/{id}/results")
def results(id: str, caller: SignedIn, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        task = _check(tx, caller, id)
        if task.result is None and task.ended_at is None:
            raise CheckUnfinished
        findings = (task.result or {}).get("findings", [])
        return [_result(number, finding) for number, finding in enumerate(findings, 1)]


@router.get("/v1/system/caches/runtime")
def runtime_caches(caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        found = caches.list_caches(tx, caller, wire.has_library)
    return {"caches": [_cache(language, version) for language, version in found]}


@router.delete("/v1/system/caches/runtime")
def clear_runtime_cache(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    """Removes what no content needs; the rest stays, so that nothing that works stops."""
    asked, version = (text_or_none(body, name) or "" for name in ("language", "version"))
    image = text_or_none(body, "image_name") or LOCAL
    language = {title.lower(): name for name, title in TITLES.items()}.get(asked.lower(), asked.lower())
    is_rehearsal = flag(body, "dry_run")
    with wire.database.write() as tx:
        if image != LOCAL or (language, version) not in caches.list_caches(tx, caller, wire.has_library):
            raise caches.CacheUnknown(f"There are no packages of {asked[:40]} {version[:40]} on {image[:80]}.")
        task = None if is_rehearsal else caches.clear_cache(tx, caller, language=language, version=version)
        return {**_cache(language, version), "task_id": task.key if task else None}


@router.post("/v1/tasks/send-test-email")
def send_test_mail(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        task = people.send_test_mail(tx, caller, to=text_or_none(body, "to") or "")
        return {"id": task.key, "output": [], "result": None, "finished": False, "code": 0, "error": "", "last": 0}


def _offset(name: str, now: datetime) -> str:
    """Like ``+05:30``."""
    offset = now.astimezone(zoneinfo.ZoneInfo(name)).utcoffset() or timedelta(0)
    minutes = abs(int(offset.total_seconds())) // 60
    return f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _check(tx: Tx, caller: Principal, key: str) -> Task:
    require(caller, Permission.SETTINGS_READ)
    task = tx.scalar(select(Task).where(Task.key == key, Task.kind == CHECK)) if key.isalnum() else None
    if task is None:
        raise TaskUnknown(f"There is no run of checks {key[:40]}.")
    return task


def _run(task: Task) -> dict[str, Any]:
    return {
        "id": task.key,
        "status": STATES.get(TaskState(task.state), "failed"),
        "error": task.error,
        "created_time": moment(task.created_at),
        "completed_time": moment(task.ended_at),
    }


def _result(number: int, finding: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": str(number),
        "group": {"name": finding["what"]},
        "name": finding["what"],
        "status": OUTCOMES[finding["state"]],
        "output": finding["finding"],
    }


def _cache(language: str, version: str) -> dict[str, str]:
    return {"language": TITLES.get(language, language), "version": version, "image_name": LOCAL}
