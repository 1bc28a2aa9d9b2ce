"""The log tab: the last deploy, the running worker or an earlier job, line by line; and the item's jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from pilothouse.asgi.rendering import Badge, page, to
from pilothouse.base.access import Permission
from pilothouse.content import service
from pilothouse.content.contract import JobUnknownHere
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Chip, Line, LogTab, Process
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx
from pilothouse.launcher.contract import JobUnknown, LauncherDown, LogLine
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task

router = APIRouter(prefix="/_/content/{guid}/log")
LINES_SHOWN = 3000
LINES_KEPT = 10_000_000
JOBS_SHOWN = DEPLOYS_SHOWN = 10
DEPLOY, WORKER = "deploy", "worker"


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
    """``of`` is ``deploy``, ``deploy-NUMBER``, ``worker`` (the newest job) or the key of a job."""

    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        jobs = service.jobs(tx, visit.caller, content, limit=JOBS_SHOWN)
        task, starts = reading.standing(tx, [content])[content.id].deploy, reading.starts(tx, jobs)
        is_building = task is not None and task.state in reading.UNDER_WAY
        source = of or (DEPLOY if is_building or not jobs else WORKER)
        tab = _tab(visit, source, _piece(tx, visit, content, source, 0))
        return {
            "view": tab,
            "deploys": [_deploy(visit, task) for task in reading.deploys(tx, content, DEPLOYS_SHOWN)],
            "processes": [_process(visit, job, starts.get(job.id, "")) for job in jobs],
        }

    return visit.show("content/log.html", shown, permission=Permission.CONTENT_READ)


@router.get("/lines")
def more(visit: VisitOf, of: str = DEPLOY, after: int = 0) -> Response:
    """The lines after those that a page has already, to be put at its end."""
    with visit.db.read() as tx:
        content = visit.content(tx, Permission.CONTENT_READ)
        piece = _piece(tx, visit, content, of, after)
    return page(visit.request, "content/lines.html", view=_tab(visit, of, piece))


@router.get("/download")
def download(visit: VisitOf, of: str = DEPLOY) -> Response:
    """The whole log as text: moment, stream, line."""
    with visit.db.read() as tx:
        content = visit.content(tx, Permission.CONTENT_READ)
        name = f"{content.name}-{of if of.isalnum() else 'log'}.log"
        task, job = _source(tx, visit, content, of)
        lines = reading.deploy_lines(tx, task, 0, LINES_KEPT) if task is not None else []
    text = _told(visit, job) if job is not None else (f"{line.at.isoformat()} deploy {line.text}\n" for line in lines)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(text, media_type="text/plain; charset=utf-8", headers=headers)


@router.post("/jobs/{key}/stop")
def stop(visit: VisitOf, key: str) -> Response:
    with visit.db.write() as tx:
        content = visit.content(tx)
        service.stop_job(tx, visit.caller, content, service.get_job(tx, visit.caller, content, key))
    return to(visit.request, f"/_/content/{visit.guid}/log?of=worker")


def _source(tx: Tx, visit: Visit, content: Content, of: str) -> tuple[Task | None, Job | None]:
    """The deploy or the job that ``of`` means. Raises `JobUnknownHere`."""
    if of == DEPLOY:
        return reading.standing(tx, [content])[content.id].deploy, None
    if of == WORKER:
        return None, next(iter(service.jobs(tx, visit.caller, content, limit=1)), None)
    if of.startswith(f"{DEPLOY}-"):
        return _deploy_of(tx, content, of.partition("-")[2]), None
    return None, service.get_job(tx, visit.caller, content, of)


def _deploy_of(tx: Tx, content: Content, number: str) -> Task:
    task = tx.get(Task, int(number)) if number.isdecimal() and len(number) < 18 else None
    if task is None or (task.kind, task.subject_kind, task.subject_id) != (reading.DEPLOY, "content", content.id):
        raise JobUnknownHere(f"This content has no deploy {number[:20]}.")
    return task


def _piece(tx: Tx, visit: Visit, content: Content, of: str, after: int) -> Piece:
    task, job = _source(tx, visit, content, of)
    if task is not None:
        return _of_deploy(tx, task, after)
    return _of_job(visit, job, after) if job is not None else Piece([], 0, False)


def _of_deploy(tx: Tx, task: Task, after: int) -> Piece:
    lines = reading.deploy_lines(tx, task, after)
    goes_on = task.state in reading.UNDER_WAY
    caption = (
        f"{reading.deploy_badge(task).word} after {reading.took(task)}" if task.ended_at and task.started_at else ""
    )
    if task.error and not goes_on:
        caption = task.error
    return Piece(lines, after + len(lines), goes_on, reading.deploy_badge(task), caption)


def _of_job(visit: Visit, job: Job, after: int) -> Piece:
    """Lines count from 1 in a launcher: ``after`` is the number of the last one seen. A page begins with the last lines."""
    limit = LINES_SHOWN if after else LINES_KEPT
    try:
        numbered = deque(_lines(visit, job, after, limit), maxlen=LINES_SHOWN)
    except (JobUnknown, LauncherDown) as error:
        return Piece([], after, False, None, str(error))
    lines = [Line(n, line.at, line.text, reading.tone(line.text), line.stream == "stderr") for n, line in numbered]
    badge = Badge("running", "good") if job.ended_at is None else Badge("ended", "off")
    return Piece(lines, numbered[-1][0] if numbered else after, job.ended_at is None, badge, job.reason)


def _told(visit: Visit, job: Job) -> Iterator[str]:
    for _, line in _lines(visit, job, 0, LINES_KEPT):
        yield f"{line.at.isoformat()} {line.stream} {line.text}\n"


def _lines(visit: Visit, job: Job, after: int, limit: int) -> Iterator[tuple[int, LogLine]]:
    found: Iterator[tuple[int, LogLine]] = visit.request.app.state.launcher.logs(job.key, after=after, limit=limit)
    return found


def _tab(visit: Visit, source: str, piece: Piece) -> LogTab:
    follow = f"{visit.base}/log/lines?{urlencode({'of': source, 'after': piece.next})}" if piece.goes_on else ""
    empty = (
        "Nothing was deployed yet."
        if source.startswith(DEPLOY)
        else "Nothing has run yet. A worker starts when somebody opens it."
        if source == WORKER
        else "This job wrote nothing."
    )
    sources = [
        Chip("Last deploy", f"{visit.base}/log?of={DEPLOY}", source == DEPLOY),
        Chip("Newest worker", f"{visit.base}/log?of={WORKER}", source == WORKER),
    ]
    if source not in (DEPLOY, WORKER):
        name = f"Deploy {source.partition('-')[2]}" if source.startswith(f"{DEPLOY}-") else f"Job {source}"
        sources.append(Chip(name, f"{visit.base}/log?{urlencode({'of': source})}", True))
    download = f"{visit.base}/log/download?{urlencode({'of': source})}" if piece.lines else ""
    return LogTab(sources, piece.lines, piece.badge, piece.caption, follow, piece.caption or empty, download)


def _deploy(visit: Visit, task: Task) -> Process:
    what = f"version {task.args.get('bundle_id')}" + ("" if task.args.get("activate") else " as a draft")
    log = f"{visit.base}/log?{urlencode({'of': f'{DEPLOY}-{task.id}'})}"
    badge = reading.deploy_badge(task)
    return Process(str(task.id), what, badge, task.started_at, task.ended_at, task.error or "", "", log)


def _process(visit: Visit, job: Job, start: str) -> Process:
    if job.ended_at is None:
        badge = {
            "queued": Badge("waiting", "off"),
            "starting": Badge("starting", "busy"),
            "frozen": Badge("frozen", "cold"),
        }.get(job.state, Badge("running", "good"))
    else:
        badge = Badge("out of memory", "bad") if job.out_of_memory else Badge("ended", "off")
    return Process(
        job.key,
        job.tag.replace("_", " "),
        badge,
        job.started_at or job.queued_at,
        job.ended_at,
        job.reason,
        stop=f"{visit.base}/log/jobs/{job.key}/stop" if job.ended_at is None else "",
        log=f"{visit.base}/log?{urlencode({'of': job.key})}",
        start=start,
    )
