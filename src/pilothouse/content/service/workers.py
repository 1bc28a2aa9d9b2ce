"""Workers: rows that say what should run, and how they move. Starting and reconciling is ``tasks/workers.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.exc import IntegrityError

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef
from pilothouse.content.models import Content, Worker, WorkerState
from pilothouse.db import Database, Tx
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task, TaskState

START = "content.start_worker"
QUEUE = "starts"
#: The priority of a start that nothing speaks against.
FIRST = 100
#: Those that came up.
UP = (WorkerState.READY.value, WorkerState.FROZEN.value)
LIVE = (WorkerState.STARTING.value, *UP)
#: Those that are not over: live ones, and those that let their visitors finish.
ALIVE = (*LIVE, WorkerState.DRAINING.value)
#: A worker that served for so long did start.
SOUND = timedelta(seconds=10)
BACK_OFF = (timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=60), timedelta(minutes=5))

#: Which state may follow which.
MOVES: Mapping[WorkerState, frozenset[WorkerState]] = {
    WorkerState.STARTING: frozenset({WorkerState.READY, WorkerState.FAILED, WorkerState.DRAINING, WorkerState.ENDED}),
    WorkerState.READY: frozenset({WorkerState.FROZEN, WorkerState.DRAINING, WorkerState.ENDED, WorkerState.FAILED}),
    WorkerState.FROZEN: frozenset({WorkerState.READY, WorkerState.DRAINING, WorkerState.ENDED, WorkerState.FAILED}),
    WorkerState.DRAINING: frozenset({WorkerState.ENDED, WorkerState.FAILED}),
    WorkerState.ENDED: frozenset(),
    WorkerState.FAILED: frozenset(),
}


def move(worker: Worker, state: WorkerState, *, reason: str = "") -> bool:
    """Bring ``worker`` to ``state`` if the table allows it; returns whether it did."""
    if state not in MOVES[WorkerState(worker.state)]:
        return False
    worker.state, worker.reason = state.value, reason or worker.reason
    if state is WorkerState.READY:
        worker.ready_at, worker.frozen_at = worker.ready_at or clock.now(), None
    elif state is WorkerState.FROZEN:
        worker.frozen_at = clock.now()
    elif state in (WorkerState.ENDED, WorkerState.FAILED):
        worker.ended_at = clock.now()
    return True


def held(tx: Tx, worker_id: int) -> Worker:
    """The worker's row, kept from others until this transaction ends: who moves a worker decides on its newest state."""
    worker = tx.get(Worker, worker_id, with_for_update=True)
    assert worker is not None, "rows of workers are never deleted"
    return worker


def _held_of(tx: Tx, *which: ColumnElement[bool]) -> Sequence[Worker]:
    return tx.scalars(select(Worker).where(*which).order_by(Worker.id).with_for_update()).all()


def live_worker(tx: Tx, bundle_id: int) -> Worker | None:
    """The worker of a bundle that is nearest to serving: one that is ready, else a frozen one, else one that starts."""
    nearest = case({WorkerState.READY.value: 0, WorkerState.FROZEN.value: 1}, value=Worker.state, else_=2)
    live = select(Worker).where(Worker.bundle_id == bundle_id, Worker.state.in_(LIVE))
    return tx.scalar(live.order_by(nearest, Worker.slot).limit(1))


def wanted_worker(database: Database, content_id: int, bundle_id: int, visitor_id: int | None = None) -> int:
    """The id of the bundle's live worker; if there is none, one is made and its start is queued, on behalf of a visitor.

    The unique index on live rows makes it harmless to call from a hundred requests at once.
    """
    try:
        with database.write() as tx:
            found = live_worker(tx, bundle_id) or _new_worker(tx, content_id, bundle_id, 0, visitor_id)
            return found.id
    except IntegrityError:
        with database.read() as tx:
            other = live_worker(tx, bundle_id)
            assert other is not None
            return other.id


def more_workers(database: Database, content: Content, bundle_id: int, count: int) -> None:
    """Start workers until ``count`` of the bundle are live; none while a start that failed may not be tried again.

    Harmless when others do the same at the same moment.
    """
    try:
        with database.write() as tx:
            failed = failure(tx, bundle_id)
            if failed is not None and clock.now() < failed[1]:
                return
            taken = set(tx.scalars(select(Worker.slot).where(Worker.bundle_id == bundle_id, Worker.state.in_(LIVE))))
            free = (slot for slot in range(count) if slot not in taken)
            for slot in list(free)[: count - len(taken)]:
                _new_worker(tx, content.id, bundle_id, slot, None)
    except IntegrityError:
        return


def _new_worker(tx: Tx, content_id: int, bundle_id: int, slot: int, visitor_id: int | None) -> Worker:
    """Who already waits for many starts, and content that has workers, let others go first."""
    worker = Worker(content_id=content_id, bundle_id=bundle_id, slot=slot)
    tx.add(worker)
    tx.flush()
    whose = Task.actor_id.is_(None) if visitor_id is None else Task.actor_id == visitor_id
    waits = (Task.kind == START, Task.state == TaskState.QUEUED.value, whose)
    queued = tx.scalar(select(func.count()).select_from(Task).where(*waits)) or 0
    enqueue(
        tx, START, {"worker_id": worker.id}, queue=QUEUE, actor_id=visitor_id, subject=ResourceRef("content", content_id),
        unique_key=f"start-worker-{worker.id}", priority=FIRST + queued + slot,
    )  # fmt: skip
    return worker


def failure(tx: Tx, bundle_id: int) -> tuple[Worker, datetime] | None:
    """The latest worker of a bundle if it failed, and when another may be tried.

    Only failed starts count for the back-off: a worker that served for a while and died is replaced at once.
    """
    recent = tx.scalars(
        select(Worker).where(Worker.bundle_id == bundle_id).order_by(Worker.id.desc()).limit(len(BACK_OFF))
    ).all()
    if not recent or recent[0].state != WorkerState.FAILED:
        return None
    ended_at = recent[0].ended_at or recent[0].created_at
    in_a_row = next((n for n, worker in enumerate(recent) if not _failed_to_start(worker)), len(recent))
    return recent[0], ended_at + BACK_OFF[in_a_row - 1] if in_a_row else ended_at


def _failed_to_start(worker: Worker) -> bool:
    if worker.state != WorkerState.FAILED:
        return False
    return worker.ready_at is None or (worker.ended_at or worker.ready_at) - worker.ready_at < SOUND


def drain_all(tx: Tx, content: Content, *, at_once: bool = False) -> None:
    """Let all workers of ``content`` finish their open requests and end; the next request starts new ones."""
    for worker in _held_of(tx, Worker.content_id == content.id, Worker.state.in_(ALIVE)):
        _drain(worker, at_once=at_once)


def drain_bundle(tx: Tx, bundle_id: int, *, at_once: bool = False) -> None:
    """The same for one bundle."""
    for worker in _held_of(tx, Worker.bundle_id == bundle_id, Worker.state.in_(ALIVE)):
        _drain(worker, at_once=at_once)


def drain_others(tx: Tx, content: Content, bundle_id: int) -> None:
    """Let the workers of all other bundles end: ``bundle_id`` has become the active one."""
    others = (Worker.content_id == content.id, Worker.bundle_id != bundle_id, Worker.state.in_(LIVE))
    for worker in _held_of(tx, *others):
        _drain(worker, at_once=False)


def drain_job(tx: Tx, job_id: int) -> None:
    """Let the worker behind a job end now."""
    for worker in _held_of(tx, Worker.job_id == job_id, Worker.state.in_(ALIVE)):
        move(worker, WorkerState.DRAINING, reason="Somebody stopped it.")
        worker.last_used_at = None


def _drain(worker: Worker, *, at_once: bool) -> None:
    move(worker, WorkerState.DRAINING, reason="It was replaced.")
    worker.last_used_at = None if at_once else clock.now()
