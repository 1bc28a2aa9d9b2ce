"""The jobs of the installation: what runs now with what it uses, how many ran over time, and what ended and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta

from fastapi import APIRouter, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.formats import duration, size
from pilothouse.asgi.rendering import Badge, frame, page, to
from pilothouse.content import service as content_service
from pilothouse.content.models import Content, Worker
from pilothouse.content.pages.views import Chip
from pilothouse.launcher.contract import usage_of
from pilothouse.launcher.models import Job
from pilothouse.web import service
from pilothouse.web.views import EndedLine, JobLine, JobsView

router = APIRouter(prefix="/_/admin/jobs")
ENDED_SHOWN = 30
SPANS: Mapping[str, tuple[str, timedelta]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "1d": ("Last day", timedelta(days=1)),
    "7d": ("Last week", timedelta(days=7)),
}
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
def jobs(request: Request, caller: SignedIn, db: Db, span: str = "1d") -> Response:
    span = span if span in SPANS else "1d"
    path = f"{frame(request).base}/_/admin/jobs"
    with db.read() as tx:
        rows = content_service.running_jobs(tx, caller)
        lines = [_job_line(request, *row) for row in rows]
        history = service.jobs_over_time(tx, caller, span=SPANS[span][1])
        ended = [_ended_line(request, row) for row in service.ended_jobs(tx, caller, limit=ENDED_SHOWN)]
    _shares.forget_others(job.key for job, _, _ in rows)
    view = JobsView(
        jobs=lines,
        sentence=f"{len(lines)} jobs run." if len(lines) != 1 else "1 job runs.",
        history=history,
        spans=[Chip(words, f"{path}?span={key}", key == span) for key, (words, _) in SPANS.items()],
        ended=ended,
    )
    return page(request, "web/jobs.html", view=view)


@router.post("/{key}/stop")
def stop(request: Request, caller: SignedIn, db: Db, key: str) -> Response:
    """End a job of a content; a job that has ended meanwhile is a no-op."""
    with db.write() as tx:
        for job, _, content in content_service.running_jobs(tx, caller):
            if job.key == key and content is not None:
                content_service.stop_job(tx, caller, content, job)
    return to(request, "/_/admin/jobs")


def _job_line(request: Request, job: Job, worker: Worker | None, content: Content | None) -> JobLine:
    used = usage_of(request.app.state.launcher, job.key)
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


def _ended_line(request: Request, row: service.EndedJob) -> EndedLine:
    job, content = row.job, row.content
    began = job.started_at or job.queued_at
    return EndedLine(
        title=(content.title or content.name) if content else job.tag,
        what=job.tag.replace("_", " "),
        href=_item_path(request, content),
        badge=Badge("failed", "bad") if row.failed else Badge("ended", "off"),
        reason=job.reason or ("It used more memory than its limit." if job.out_of_memory else ""),
        ran=duration(job.ended_at - began if job.ended_at else None),
        ended_at=job.ended_at,
    )


def _memory_limit(request: Request, job: Job) -> int | None:
    groups = request.app.state.loaded.settings.load_groups
    return next((group.memory for group in groups if group.key == job.load_group), None)


def _item_path(request: Request, content: Content | None) -> str:
    stages = request.app.state.stages
    stage = stages.by_id(content.stage_id) if content is not None else None
    return f"{stage.path}_/content/{content.guid}" if stage is not None and content is not None else ""
