"""What runs follows what the rows want: dead jobs are noticed, idle workers freeze, replaced ones drain, lost starts begin again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import structlog
from sqlalchemy import exists, select

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef
from pilothouse.base.errors import PilothouseError
from pilothouse.content.models import Content, Worker, WorkerState
from pilothouse.content.service.scaling import Activity
from pilothouse.content.service.workers import ALIVE, QUEUE, SOUND, START, held, move
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.content.tasks.pressure import Pressure
from pilothouse.content.tasks.rouse import thaw
from pilothouse.content.tasks.scale import Crew, Running, crews
from pilothouse.content.tasks.start import note_status, status_of
from pilothouse.db import DatabaseDown
from pilothouse.launcher.contract import FINAL, JobState, JobStatus, SeesConnections, Signal, SignalRefused
from pilothouse.launcher.models import Job
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task

log = structlog.get_logger(__name__)
ROUND_S = 1.0
QUIET = timedelta(seconds=5)
UNATTENDED = timedelta(seconds=30)
TOO_MANY = "Too many workers were frozen; the longest frozen went first."
SHORT = "The machine was short of memory; the longest frozen went first."
GONE = JobStatus("", JobState.LOST, reason="The launcher does not know it any more.")


class Reconciler:
    """A thread that looks once a second. ``activity`` tells how a job is used, by its key."""

    def __init__(self, engines: ContentEngines, activity: Callable[[str], Activity]) -> None:
        self._engines, self._activity, self._pressure = engines, activity, Pressure(engines)
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
        of_one_over = exists().where(Worker.job_id == Job.id, Worker.state.in_(over))
        left = select(Job).where(Job.ended_at.is_(None), of_one_over)
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
            rows = tx.execute(alive.where(Worker.state.in_(ALIVE))).all()
        running = [(worker, job, content) for worker, job, content in rows]
        crew = crews(self._engines, running, self._activity)
        evicted = self._evicted(running)
        for worker, job, content in sorted(running, key=lambda row: row[0].slot, reverse=True):
            with self._said(worker=worker.id):
                self._look(worker, job, content, crew.get(worker.bundle_id), evict=evicted.get(worker.id, ""))
        is_short = self._pressure.is_short
        for one in crew.values():
            with self._said(content=one.content.id):
                one.grow(is_short=is_short)

    @contextmanager
    def _said(self, **of: int) -> Iterator[None]:
        """What goes wrong with one holds up no other."""
        try:
            yield
        except PilothouseError as error:
            log.warning("a worker could not be reconciled", **of, error=str(error))

    def _evicted(self, running: Sequence[Running]) -> dict[int, str]:
        """Ids of frozen workers that must go, each with the reason; the longest frozen first."""
        frozen = [(worker, job) for worker, job, _ in running if worker.state == WorkerState.FROZEN and job is not None]
        frozen.sort(key=lambda row: row[0].frozen_at or row[0].created_at)
        gone = {worker.id: TOO_MANY for worker, _ in frozen[: max(0, len(frozen) - self._engines.frozen_limit)]}
        short = self._pressure.make_room(frozen[len(gone) :])
        return gone | ({short.id: SHORT} if short else {})

    def _look(self, worker: Worker, job: Job | None, content: Content, crew: Crew | None, *, evict: str) -> None:
        if worker.state == WorkerState.STARTING and clock.now() - worker.created_at > UNATTENDED:
            self._start_again(worker)
        if job is None:
            if worker.state == WorkerState.DRAINING:
                self._end(worker, None, WorkerState.ENDED)
            return
        status = status_of(self._engines, job)
        if status is None or status.state in FINAL:
            if worker.state != WorkerState.STARTING:
                self._end(worker, status, WorkerState.FAILED if _failed(worker, status) else WorkerState.ENDED)
            return
        self._note_change(job, status)
        if evict and not self._is_used(job, self._activity(job.key)):
            self._set(worker, WorkerState.DRAINING, reason=evict)
        else:
            self._tend(worker, job, content, crew, is_frozen=status.state is JobState.FROZEN)

    def _tend(self, worker: Worker, job: Job, content: Content, crew: Crew | None, *, is_frozen: bool) -> None:
        """A worker whose job is alive: thaw, drain, or let it rest."""
        use = self._activity(job.key)
        if is_frozen and (worker.state == WorkerState.READY or self._is_used(job, use)):
            thaw(self._engines, worker.id, job.key)
        elif worker.state == WorkerState.DRAINING:
            self._drain(worker, job, use)
        elif worker.state == WorkerState.READY:
            self._rest(worker, job, content, crew)
        elif worker.state == WorkerState.FROZEN and not is_frozen:
            self._freeze(worker, job)

    def _is_used(self, job: Job, use: Activity) -> bool:
        """Whether a socket is open, or a request on its way, as far as the log and the kernel know."""
        launcher = self._engines.launcher
        return use.open_sockets > 0 or (isinstance(launcher, SeesConnections) and launcher.connections(job.key) > 0)

    def _rest(self, worker: Worker, job: Job, content: Content, crew: Crew | None) -> None:
        """Stop a worker that is not needed, freeze or stop the last one: idle, and only while nobody is connected or may come unasked."""
        terms, use = self._engines.rules.terms(content), self._activity(job.key)
        started = (worker.last_used_at or worker.ready_at or worker.created_at).timestamp()
        quiet_s = time.time() - max(use.last_response, started)
        if quiet_s < max(terms.idle_timeout, QUIET.total_seconds()) or self._may_be_asked(job, use):
            return
        if crew is None or crew.has_spare:
            self._stop(worker, crew, "It was not needed any more.")
        elif crew.may_rest and terms.idle != "keep":
            if terms.idle == "stop" or not self._engines.launcher.capabilities().freezes:
                self._stop(worker, crew, "It was idle.")
            elif self._set(worker, WorkerState.FROZEN):
                crew.awake -= 1
                self._freeze(worker, job)

    def _stop(self, worker: Worker, crew: Crew | None, reason: str) -> None:
        if self._set(worker, WorkerState.DRAINING, reason=reason) and crew is not None:
            crew.awake -= 1

    def _may_be_asked(self, job: Job, use: Activity) -> bool:
        """Whether it is used, or somebody has a grant for it, with which they come without asking the door."""
        return use.grants > 0 or time.time() < use.granted_until or self._is_used(job, use)

    def _freeze(self, worker: Worker, job: Job) -> None:
        """The row says so already and the door sends nobody any more; who came just before that is let in."""
        used = self._is_used(job, self._activity(job.key)) or not self._froze(job)
        if not used:
            with self._engines.database.read() as tx:
                row = tx.get(Worker, worker.id)
            used = row is None or row.state != WorkerState.FROZEN or self._is_used(job, self._activity(job.key))
        if used:
            thaw(self._engines, worker.id, job.key)

    def _froze(self, job: Job) -> bool:
        """What can't be frozen (it waits for a disk, say) goes on."""
        try:
            self._engines.launcher.signal(job.key, Signal.FREEZE)
        except SignalRefused as error:
            log.warning("a worker could not be frozen", job=job.key, error=str(error))
            return False
        return True

    def _drain(self, worker: Worker, job: Job, use: Activity) -> None:
        """``last_used_at`` holds when the draining began; ``None`` = at once."""
        since = worker.last_used_at
        over = since is None or clock.now() - since > self._engines.drain_timeout
        quiet = (
            since is not None
            and clock.now() - since > QUIET
            and time.time() - use.last_response > QUIET.total_seconds()
        )
        if over or (quiet and not self._may_be_asked(job, use)):
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


def _failed(worker: Worker, status: JobStatus | None) -> bool:
    """Whether an ended job is a fault: it was not asked to end, and said that something went wrong or ended as soon as it began."""
    if worker.state == WorkerState.DRAINING or (status is not None and status.cancelled):
        return False
    if status is None or status.exit_code != 0:
        return True
    ended_at = status.ended_at or clock.now()
    return worker.ready_at is not None and ended_at - worker.ready_at < SOUND
