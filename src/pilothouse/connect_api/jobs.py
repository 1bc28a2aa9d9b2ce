"""The jobs behind content and what they printed (connect-wire-api §2.2, §3.5): workers, and what built and deployed it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from pilothouse.asgi.context import SignedIn
from pilothouse.base.access import Principal
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.service import Build
from pilothouse.db import Tx
from pilothouse.launcher.contract import JobUnknown, LogLine
from pilothouse.launcher.models import Job

router = APIRouter()
LINES_LIMIT = 100_000


@router.get("/v1/content/{guid}/jobs")
def jobs(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """Newest first."""
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return jobs_of(tx, caller, row)


@router.get("/v1/content/{guid}/jobs/{key}")
def job(guid: Guid, key: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return shown_job(row, find_job(tx, caller, row, key))


@router.delete("/v1/content/{guid}/jobs/{key}")
def stop_job(guid: Guid, key: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        found = find_job(tx, caller, row, key)
        if isinstance(found, Job):
            service.stop_job(tx, caller, row, found)
        else:
            service.stop_build(tx, caller, row, found)
        shown = shown_job(row, found)
    facts = {"app_id": str(row.id), "app_guid": row.guid, "job_id": shown["id"], "job_key": shown["key"]}
    return {"guid": row.guid, **facts, "result": "Order to kill job registered"}


@router.get("/v1/content/{guid}/jobs/{key}/log")
def job_log(
    guid: Guid,
    key: str,
    caller: SignedIn,
    stage: StageOf,
    wire: WireOf,
    most: Annotated[int, Query(alias="maxLogLines")] = 0,
) -> dict[str, Any]:
    """The last ``maxLogLines`` lines, or all of them for 0 and less."""
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        found = find_job(tx, caller, row, key)
        lines = _printed(wire, found) if isinstance(found, Job) else service.build_output(tx, caller, row, found)
    shown = lines[-most:] if most > 0 else lines
    return {
        "entries": [{"source": line.stream, "timestamp": shapes.moment(line.at), "data": line.text} for line in shown]
    }


def jobs_of(tx: Tx, caller: Principal, content: Content) -> list[dict[str, Any]]:
    """Wire objects of its jobs and builds, newest first."""
    rows: list[Job | Build] = [*service.jobs(tx, caller, content), *service.builds(tx, caller, content)]
    found = [shown_job(content, row) for row in rows]
    return sorted(found, key=lambda job: str(job["queued_time"]), reverse=True)


def find_job(tx: Tx, caller: Principal, content: Content, key: str) -> Job | Build:
    """Raises `JobUnknownHere`."""
    return service.find_build(tx, caller, content, key) or service.get_job(tx, caller, content, key)


def shown_job(content: Content, row: Job | Build) -> dict[str, Any]:
    """Its wire object."""
    return shapes.job(row, content=content) if isinstance(row, Job) else shapes.build(row, content=content)


def _printed(wire: Wire, job: Job) -> list[LogLine]:
    try:
        return [line for _, line in wire.launcher.logs(job.key, limit=LINES_LIMIT)]
    except JobUnknown:
        return []
