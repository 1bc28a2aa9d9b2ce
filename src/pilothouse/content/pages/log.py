"""The log tab: the last deploy and the running worker, line by line, and the item's jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from pilothouse.asgi.rendering import Badge, page, to
from pilothouse.base.access import Permission
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Chip, Line, LogTab, Process
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx
from pilothouse.launcher.contract import JobUnknown, LauncherDown
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task

router = APIRouter(prefix="/_/content/{guid}/log")
LINES_SHOWN = 2000
JOBS_SHOWN = 10


@dataclass(frozen=True)
class Piece:
    """A part of a log: its lines, the number to go on from, and whether more can come."""

    lines: Sequence[Line]
    next: int
    goes_on: bool
    badge: Badge | None = None
    caption: str = ""


@router.get("")
def show(visit: VisitOf, of: str = "") -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        jobs = service.jobs(tx, visit.caller, content, limit=JOBS_SHOWN)
        task = reading.standing(tx, [content])[content.id].deploy
        source = of or ("deploy" if (task is not None and task.state in reading.UNDER_WAY) or not jobs else "worker")
        source = "deploy" if source not in ("deploy", "worker") else source
        tab = _tab(visit, source, _piece(tx, visit, source, task, jobs, 0))
        return {"view": tab, "processes": [_process(visit, job) for job in jobs]}

    return visit.show("content/log.html", shown, permission=Permission.CONTENT_READ)


@router.get("/lines")
def more(visit: VisitOf, of: str = "deploy", after: int = 0) -> Response:
    """The lines after those that a page has already, to be put at its end."""
    with visit.db.read() as tx:
        content = visit.content(tx, Permission.CONTENT_READ)
        jobs = service.jobs(tx, visit.caller, content, limit=1)
        task = reading.standing(tx, [content])[content.id].deploy
        piece = _piece(tx, visit, of, task, jobs, after)
    return page(visit.request, "content/lines.html", view=_tab(visit, of, piece))


@router.post("/jobs/{key}/stop")
def stop(visit: VisitOf, key: str) -> Response:
    with visit.db.write() as tx:
        content = visit.content(tx)
        service.stop_job(tx, visit.caller, content, service.get_job(tx, visit.caller, content, key))
    return to(visit.request, f"/_/content/{visit.guid}/log?of=worker")


def _piece(tx: Tx, visit: Visit, source: str, task: Task | None, jobs: Sequence[Job], after: int) -> Piece:
    if source == "deploy":
        return _of_deploy(tx, task, after)
    return _of_job(visit, jobs[0], after) if jobs else Piece([], 0, False)


def _of_deploy(tx: Tx, task: Task | None, after: int) -> Piece:
    if task is None:
        return Piece([], 0, False)
    lines = reading.deploy_lines(tx, task, after)
    goes_on = task.state in reading.UNDER_WAY
    caption = (
        f"{reading.deploy_badge(task).word} after {reading.took(task)}" if task.ended_at and task.started_at else ""
    )
    if task.error and not goes_on:
        caption = task.error
    return Piece(lines, after + len(lines), goes_on, reading.deploy_badge(task), caption)


def _of_job(visit: Visit, job: Job, after: int) -> Piece:
    """Lines count from 1 in a launcher: ``after`` is the number of the last one seen."""
    try:
        numbered = list(visit.request.app.state.launcher.logs(job.key, after=after, limit=LINES_SHOWN))
    except (JobUnknown, LauncherDown) as error:
        return Piece([], after, False, None, str(error))
    lines = [Line(line.at, line.text, reading.tone(line.text)) for _, line in numbered]
    badge = Badge("running", "good") if job.ended_at is None else Badge("ended", "off")
    return Piece(lines, numbered[-1][0] if numbered else after, job.ended_at is None, badge, job.reason)


def _tab(visit: Visit, source: str, piece: Piece) -> LogTab:
    follow = f"{visit.base}/log/lines?{urlencode({'of': source, 'after': piece.next})}" if piece.goes_on else ""
    empty = (
        "Nothing was deployed yet."
        if source == "deploy"
        else "Nothing has run yet. A worker starts when somebody opens it."
    )
    sources = [
        Chip("Last deploy", f"{visit.base}/log?of=deploy", source == "deploy"),
        Chip("Worker", f"{visit.base}/log?of=worker", source == "worker"),
    ]
    return LogTab(sources, piece.lines, piece.badge, piece.caption, follow, piece.caption or empty)


def _process(visit: Visit, job: Job) -> Process:
    if job.ended_at is None:
        badge = {
            "queued": Badge("waiting", "off"),
            "starting": Badge("starting", "busy"),
            "frozen": Badge("frozen", "cold"),
        }.get(job.state, Badge("running", "good"))
    else:
        badge = Badge("out of memory", "bad") if job.out_of_memory else Badge("ended", "off")
    stop = f"{visit.base}/log/jobs/{job.key}/stop" if job.ended_at is None else ""
    return Process(
        job.key, job.tag.replace("_", " "), badge, job.started_at or job.queued_at, job.ended_at, job.reason, stop
    )
