"""What runs follows what the rows want: dead jobs are noticed, idle workers freeze, replaced ones drain, lost starts begin again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef
from pilothouse.base.errors import PilothouseError
from pilothouse.content.models import Content, Worker, WorkerState
from pilothouse.content.service.workers import LIVE, QUEUE, START, held, move
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.content.tasks.rouse import thaw
from pilothouse.content.tasks.start import note_status, status_of
from pilothouse.db import DatabaseDown
from pilothouse.launcher.contract import FINAL, JobState, JobStatus, SeesConnections, Signal
from pilothouse.launcher.models import Job
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task

log = structlog.get_logger(__name__)
ROUND_S = 1.0
QUIET = timedelta(seconds=5)
UNATTENDED = timedelta(seconds=30)
GONE = JobStatus("", JobState.LOST, reason="The launcher does not know it any more.")


@dataclass(frozen=True)
class Activity:
    """How a job is used: open sockets and requests now, and the moment of the last response (``time.time()``; 0 = never seen)."""

    open_sockets: int = 0
    last_response: float = 0.0


class Reconciler:
    """A thread that looks once a second. ``activity`` tells how a job is used, by its key."""

    def __init__(self, engines: ContentEngines, activity: Callable[[str], Activity]) -> None:
        self._engines, self._activity = engines, activity
        self._stopping, self._thread = (
            threading.Event(),
            threading.Thread(target=self._loop, name="reconcile", daemon=True),
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def _loop(self) -> None:
        while not self._stopping.wait(ROUND_S):
            try:
                self.once()
            except DatabaseDown:
                continue
            except Exception as error:
                log.error("reconciling failed", exc_info=error)

    def once(self) -> None:
        """One look at every worker that is not ended, and at every job that is not ended though its worker is."""
        self._look_at_workers()
        self._look_at_left_jobs()

    def _look_at_left_jobs(self) -> None:
        """A start that failed or was overtaken leaves a job that nobody wants: it ends, and its row says so."""
        over = (WorkerState.ENDED.value, WorkerState.FAILED.value)
        left = select(Job).join(Worker, Worker.job_id == Job.id).where(Job.ended_at.is_(None), Worker.state.in_(over))
        with self._engines.database.read() as tx:
            jobs = tx.scalars(left).all()
        for job in jobs:
            status = status_of(self._engines, job) or GONE
            if status.state not in FINAL:
                self._engines.launcher.cancel(job.key)
            self._note_change(job, status)

    def _look_at_workers(self) -> None:
        with self._engines.database.read() as tx:
            alive = (
                select(Worker, Job, Content)
                .outerjoin(Job, Job.id == Worker.job_id)
                .join(Content, Content.id == Worker.content_id)
            )
            rows = tx.execute(alive.where(Worker.state.in_((*LIVE, WorkerState.DRAINING.value)))).all()
        frozen = sorted(
            (w for w, _, _ in rows if w.state == WorkerState.FROZEN), key=lambda w: w.frozen_at or w.created_at
        )
        too_many = {w.id for w in frozen[: max(0, len(frozen) - self._engines.frozen_limit)]}
        for worker, job, content in rows:
            try:
                self._look(worker, job, content, evict=worker.id in too_many)
            except PilothouseError as error:
                log.warning("worker could not be reconciled", worker=worker.id, error=str(error))

    def _look(self, worker: Worker, job: Job | None, content: Content, *, evict: bool) -> None:
        if worker.state == WorkerState.STARTING and clock.now() - worker.created_at > UNATTENDED:
            self._start_again(worker)
        if job is None:
            if worker.state == WorkerState.DRAINING:
                self._end(worker, None, WorkerState.ENDED)
            return
        status = status_of(self._engines, job)
        if status is None or status.state in FINAL:
            if worker.state != WorkerState.STARTING:
                stopped = worker.state == WorkerState.DRAINING or (status is not None and status.cancelled)
                died = not stopped and (status is None or status.exit_code != 0)
                self._end(worker, status, WorkerState.FAILED if died else WorkerState.ENDED)
            return
        self._note_change(job, status)
        self._tend(worker, job, content, is_frozen=status.state is JobState.FROZEN, evict=evict)

    def _tend(self, worker: Worker, job: Job, content: Content, *, is_frozen: bool, evict: bool) -> None:
        """A worker whose job is alive: freeze, thaw, drain."""
        use = self._activity(job.key)
        if is_frozen and (worker.state == WorkerState.READY or self._is_used(job, use)):
            thaw(self._engines, worker.id, job.key)
        elif worker.state == WorkerState.DRAINING:
            self._drain(worker, job, use)
        elif evict:
            self._set(
                worker, WorkerState.DRAINING, reason="Too many workers were frozen; the longest frozen went first."
            )
        elif worker.state == WorkerState.READY:
            self._rest(worker, job, content, use)
        elif worker.state == WorkerState.FROZEN and not is_frozen:
            self._freeze(worker, job)

    def _is_used(self, job: Job, use: Activity) -> bool:
        """Whether a socket is open, or a request on its way, as far as the log and the kernel know."""
        launcher = self._engines.launcher
        return use.open_sockets > 0 or (isinstance(launcher, SeesConnections) and launcher.connections(job.key) > 0)

    def _rest(self, worker: Worker, job: Job, content: Content, use: Activity) -> None:
        """Freeze or stop an idle worker; only while nobody is connected and some seconds after the last response."""
        terms = self._engines.rules.terms(content)
        started = (worker.last_used_at or worker.ready_at or worker.created_at).timestamp()
        quiet_s = time.time() - max(use.last_response, started)
        if terms.idle == "keep" or quiet_s < max(terms.idle_timeout, QUIET.total_seconds()) or self._is_used(job, use):
            return
        if (
            terms.idle == "stop"
            or not self._engines.launcher.capabilities().freezes
            or content.bundle_id != worker.bundle_id
        ):
            self._set(worker, WorkerState.DRAINING, reason="It was idle.")
            return
        if self._set(worker, WorkerState.FROZEN):
            self._freeze(worker, job)

    def _freeze(self, worker: Worker, job: Job) -> None:
        """The row says so already and the door sends nobody any more; who came just before that is let in."""
        used = self._is_used(job, self._activity(job.key))
        if not used:
            self._engines.launcher.signal(job.key, Signal.FREEZE)
            with self._engines.database.read() as tx:
                row = tx.get(Worker, worker.id)
            used = row is None or row.state != WorkerState.FROZEN or self._is_used(job, self._activity(job.key))
        if used:
            thaw(self._engines, worker.id, job.key)

    def _drain(self, worker: Worker, job: Job, use: Activity) -> None:
        """``last_used_at`` holds when the draining began; ``None`` = at once."""
        since = worker.last_used_at
        over = since is None or clock.now() - since > self._engines.drain_timeout
        quiet = (
            since is not None
            and clock.now() - since > QUIET
            and time.time() - use.last_response > QUIET.total_seconds()
        )
        if over or (quiet and not self._is_used(job, use)):
            self._engines.launcher.cancel(job.key)

    def _start_again(self, worker: Worker) -> None:
        with self._engines.database.write() as tx:
            key = f"start-worker-{worker.id}"
            there = tx.scalar(select(Task.state).where(Task.unique_key == key))
            if there in ("queued", "running"):
                return
            subject = ResourceRef("content", worker.content_id)
            again = f"{key}-{clock.now():%H%M%S}" if there else key
            enqueue(tx, START, {"worker_id": worker.id}, queue=QUEUE, subject=subject, unique_key=again)

    def _note_change(self, job: Job, status: JobStatus) -> None:
        if job.state != status.state.value or job.pid != status.pid or status.state in FINAL:
            with self._engines.database.write() as tx:
                note_status(tx, job.id, status)

    def _end(self, worker: Worker, status: JobStatus | None, state: WorkerState) -> None:
        with self._engines.database.write() as tx:
            live = held(tx, worker.id)
            move(live, state, reason=(status or GONE).reason)
            if live.job_id is not None:
                note_status(tx, live.job_id, status or GONE)

    def _set(self, worker: Worker, state: WorkerState, *, reason: str = "") -> bool:
        with self._engines.database.write() as tx:
            live = held(tx, worker.id)
            if state is WorkerState.DRAINING:
                live.last_used_at = clock.now()
            return live.state == worker.state and move(live, state, reason=reason)
