"""The administration console: what this installation is, what runs, and which settings it follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, SecretStr

from pilothouse import __version__
from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.formats import size
from pilothouse.asgi.rendering import Badge, frame, page, to
from pilothouse.base.access import Permission, require
from pilothouse.base.errors import NotFound
from pilothouse.content import service
from pilothouse.content.models import Content, Worker
from pilothouse.launcher.contract import Usage
from pilothouse.launcher.models import Job
from pilothouse.settings import Loaded, Settings
from pilothouse.web.views import JobLine, JobsView, OptionLine, OptionSection, OverviewView, SettingsView

router = APIRouter(prefix="/_/admin")
STATES: Mapping[str, Badge] = {
    "queued": Badge("waiting", "off"),
    "starting": Badge("starting", "busy"),
    "running": Badge("running", "good"),
    "frozen": Badge("frozen", "cold"),
    "stopping": Badge("stopping", "busy"),
}


class CpuShares:
    """From total seconds of processor time to the share used since somebody last asked. Kept for the life of the process."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def share(self, key: str, cpu_seconds: float) -> float | None:
        """Cores used on average since the last call for ``key``; ``None`` at the first."""
        moment = time.monotonic()
        with self._lock:
            before = self._seen.get(key)
            if before is None or moment - before[0] > 0.5:
                self._seen[key] = (moment, cpu_seconds)
        if before is None or moment - before[0] < 0.1:
            return None
        return max(0.0, (cpu_seconds - before[1]) / (moment - before[0]))

    def forget_others(self, keys: Iterable[str]) -> None:
        with self._lock:
            self._seen = {key: self._seen[key] for key in keys if key in self._seen}


_shares = CpuShares()


@router.get("")
def overview(request: Request, caller: SignedIn) -> Response:
    """Weak points first: what is not protected on this installation, each with its remedy."""
    require(caller, Permission.SETTINGS_READ)
    loaded, launcher = request.app.state.loaded, request.app.state.launcher
    found = launcher.capabilities()
    weak = [*found.weak]
    if loaded.settings.server.single_origin:
        weak.append(
            "Content shares the dashboard's origin: published code can act as whoever opens it. Unset server.single_origin."
        )
    facts = [
        ("Version", __version__),
        ("Address", loaded.public_url),
        ("Database", "SQLite" if request.app.state.database.is_sqlite else "PostgreSQL"),
        ("Home", str(loaded.home)),
        ("Limits of jobs", found.limits),
        ("Freezing of jobs", found.freezer),
        ("Isolation of jobs", found.isolation),
        *(("Launcher", fact) for fact in found.facts),
    ]
    return page(request, "web/overview.html", view=OverviewView(weak, facts))


@router.get("/jobs")
def jobs(request: Request, caller: SignedIn, db: Db) -> Response:
    with db.read() as tx:
        rows = service.running_jobs(tx, caller)
        lines = [_job_line(request, *row) for row in rows]
    _shares.forget_others(job.key for job, _, _ in rows)
    count = f"{len(lines)} jobs run." if len(lines) != 1 else "1 job runs."
    return page(request, "web/jobs.html", view=JobsView(lines, count))


@router.post("/jobs/{key}/stop")
def stop(request: Request, caller: SignedIn, db: Db, key: str) -> Response:
    """End a job of a content; a job that has ended meanwhile is a no-op."""
    with db.write() as tx:
        for job, _, content in service.running_jobs(tx, caller):
            if job.key == key and content is not None:
                service.stop_job(tx, caller, content, job)
    return to(request, "/_/admin/jobs")


@router.get("/settings")
def settings(request: Request, caller: SignedIn) -> Response:
    """Every option with its value and where it came from; secrets as dots."""
    require(caller, Permission.SETTINGS_READ)
    loaded: Loaded = request.app.state.loaded
    where = f"Read from {loaded.file or 'no file'}, variables and the command line. Change them there and start the server again."
    return page(request, "web/settings.html", view=SettingsView(where, option_sections(loaded)))


def option_sections(loaded: Loaded) -> list[OptionSection]:
    """All sections of the settings, one for each room."""
    sections = []
    for name, field in Settings.model_fields.items():
        value = getattr(loaded.settings, name)
        if not isinstance(value, BaseModel):
            lines = [
                OptionLine(f"{name}.{entry.key}", "", entry.model_dump_json(exclude={"key"}), _origin(loaded, name))
                for entry in value
            ]
            sections.append(OptionSection(name, field.description or "", lines))
            continue
        lines = [
            OptionLine(
                f"{name}.{option}",
                about.description or "",
                _plain(getattr(value, option)),
                _origin(loaded, f"{name}.{option}"),
            )
            for option, about in type(value).model_fields.items()
        ]
        sections.append(OptionSection(name, (type(value).__doc__ or "").strip(), lines))
    return sections


def _origin(loaded: Loaded, name: str) -> str:
    return loaded.origins.get(name, "default")


def _plain(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, SecretStr):
        return "••••••"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "—"
    return str(value)


def _job_line(request: Request, job: Job, worker: Worker | None, content: Content | None) -> JobLine:
    used = _usage(request, job.key)
    share = _shares.share(job.key, used.cpu_seconds) if used else None
    limit = _memory_limit(request, job)
    base = frame(request).base
    return JobLine(
        key=job.key,
        title=(content.title or content.name) if content else job.tag,
        what=job.tag.replace("_", " "),
        href=_item_path(request, content),
        badge=STATES.get(
            "frozen" if worker is not None and worker.state == "frozen" else job.state, Badge(job.state, "off")
        ),
        cpu="—" if share is None else f"{share * 100:.0f} %",
        memory=size(used.memory) if used else "—",
        limit=size(limit) if limit and used else "",
        share=min(used.memory / limit, 1.0) if limit and used else 0.0,
        processes=str(used.processes) if used else "—",
        load_group=job.load_group,
        started_at=job.started_at or job.queued_at,
        stop=f"{base}/_/admin/jobs/{job.key}/stop" if content is not None else "",
    )


class _Measures(Protocol):
    def usage(self, job_id: str) -> Usage | None: ...


def _usage(request: Request, key: str) -> Usage | None:
    """What a job uses; ``None`` where the launcher can't tell."""
    measures: _Measures = request.app.state.launcher
    try:
        return measures.usage(key) if hasattr(measures, "usage") else None
    except NotFound:
        return None


def _memory_limit(request: Request, job: Job) -> int | None:
    groups = request.app.state.loaded.settings.load_groups
    return next((group.memory for group in groups if group.key == job.load_group), None)


def _item_path(request: Request, content: Content | None) -> str:
    stages = request.app.state.stages
    stage = stages.by_id(content.stage_id) if content is not None else None
    return f"{stage.path}_/content/{content.guid}" if stage is not None and content is not None else ""
