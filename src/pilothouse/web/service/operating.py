"""Verbs of those who look after the whole installation: its queue of tasks, and its jobs over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal_column, or_, select

from pilothouse.audit.models import Event
from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Conflict
from pilothouse.content.models import Bundle, Content, Worker, WorkerState
from pilothouse.content.service.deployments import DEPLOY
from pilothouse.db import Tx, size_of
from pilothouse.identity.models import User
from pilothouse.identity.service.mail import SEND
from pilothouse.launcher.contract import JobState
from pilothouse.launcher.models import Job
from pilothouse.tasks import cancel, enqueue
from pilothouse.tasks.contract import TaskUnknown
from pilothouse.tasks.models import Task, TaskState

#: Of finished tasks only so many of the newest are counted: pages ask often, and nobody counts beyond.
COUNTED = 20_000
JOBS_READ = 20_000
TERMINATED = 143


class TaskNotAgain(Conflict):
    """Only a task that failed or was cancelled can be tried again, and only one that stands on its own, such as a deploy."""

    code = "web/task-not-again"


#: Kinds that may be tried again as they are. A worker is started anew by whoever opens its app.
AGAIN = frozenset({DEPLOY, SEND, "system.sweep"})
OVER = (TaskState.FAILED.value, TaskState.CANCELLED.value)


def tasks(
    tx: Tx, actor: Principal, *, states: Sequence[TaskState] = (), before: int | None = None, limit: int = 50
) -> list[Task]:
    """Tasks of all queues, newest first. ``before`` is the id of the last one of the page before."""
    require(actor, Permission.TASK_LIST)
    chosen = select(Task).order_by(Task.id.desc()).limit(limit)
    if states:
        chosen = chosen.where(Task.state.in_([s.value for s in states]))
    return list(tx.scalars(chosen if before is None else chosen.where(Task.id < before)))


def task_counts(tx: Tx, actor: Principal, *, since: timedelta) -> Mapping[TaskState, int]:
    """How many tasks wait or run now, and how many ended ``since`` then, by how they ended."""
    require(actor, Permission.TASK_LIST)
    newest = select(func.max(Task.id)).scalar_subquery()
    fresh = or_(Task.ended_at.is_(None), Task.ended_at > clock.now() - since)
    counted = select(Task.state, func.count()).where(Task.id > newest - COUNTED, fresh).group_by(Task.state)
    found = dict(tx.execute(counted).tuples().all())
    return {state: found.get(state.value, 0) for state in TaskState}


def get_task(tx: Tx, actor: Principal, key: str) -> Task:
    """Raises `TaskUnknown`."""
    require(actor, Permission.TASK_LIST)
    task = tx.scalar(select(Task).where(Task.key == key)) if key.isascii() and key.isprintable() else None
    if task is None:
        raise TaskUnknown("There is no such task. It may have been cleaned up; look at the list again.")
    return task


def may_go_again(task: Task) -> bool:
    """Whether `retry_task` would accept it."""
    return task.state in OVER and task.kind in AGAIN


def retry_task(tx: Tx, actor: Principal, task: Task) -> Task:
    """Do the same again, as a new task; the old one stays as it ended. Raises `TaskNotAgain`."""
    require(actor, Permission.TASK_RETRY)
    if not may_go_again(task):
        raise TaskNotAgain
    subject = ResourceRef(task.subject_kind, task.subject_id) if task.subject_id is not None else None
    again = enqueue(tx, task.kind, task.args, queue=task.queue, actor_id=actor.id, subject=subject)
    after = {"key": again.key, "kind": task.kind}
    record(tx, actor, "tasks:task:retried", ResourceRef("task", task.id), before={"key": task.key}, after=after)
    return again


def cancel_task(tx: Tx, actor: Principal, task: Task) -> None:
    """Ask a task to end: a waiting one ends at once, a running one at its next step. A finished one is left alone."""
    require(actor, Permission.TASK_CANCEL)
    if task.state in (TaskState.QUEUED, TaskState.RUNNING):
        cancel(tx, task)
        record(
            tx, actor, "tasks:task:cancelled", ResourceRef("task", task.id), after={"key": task.key, "kind": task.kind}
        )


@dataclass(frozen=True)
class Moment:
    """What was up at ``at``, and how many jobs failed in the span that ends there."""

    at: datetime
    running: int
    failed: int


@dataclass(frozen=True)
class EndedJob:
    """A job that is over. ``failed``: it did not end because somebody, or we, asked it to."""

    job: Job
    content: Content | None
    failed: bool


def ended_jobs(tx: Tx, actor: Principal, *, limit: int = 50) -> list[EndedJob]:
    """The jobs that ended last, last first."""
    require(actor, Permission.JOB_LIST)
    rows = (
        select(Job, Worker.state, Content)
        .outerjoin(Worker, Worker.job_id == Job.id)
        .outerjoin(Content, (Content.id == Job.subject_id) & (Job.subject_kind == "content"))
        .where(Job.ended_at.is_not(None))
        .order_by(Job.ended_at.desc(), Job.id.desc())
        .limit(limit)
    )
    return [
        EndedJob(job, content, _failed(job.exit_code, job.state, worker)) for job, worker, content in tx.execute(rows)
    ]


def jobs_over_time(tx: Tx, actor: Principal, *, span: timedelta, points: int = 96) -> list[Moment]:
    """How many jobs were up at ``points`` moments of the last ``span``, oldest first."""
    require(actor, Permission.JOB_LIST)
    now = clock.now()
    lived = (
        select(func.coalesce(Job.started_at, Job.queued_at), Job.ended_at, Job.exit_code, Job.state, Worker.state)
        .outerjoin(Worker, Worker.job_id == Job.id)
        .where(or_(Job.ended_at.is_(None), Job.ended_at > now - span))
        .order_by(Job.id.desc())
        .limit(JOBS_READ)
    )
    lives = [(begin, end, _failed(code, state, worker)) for begin, end, code, state, worker in tx.execute(lived)]
    return moments(lives, now=now, span=span, points=points)


def moments(
    lives: Sequence[tuple[datetime, datetime | None, bool]], *, now: datetime, span: timedelta, points: int
) -> list[Moment]:
    """From (begin, end or ``None``, failed) to evenly spread `Moment`s of which the last is ``now``. Pure."""
    begun = sorted(begin for begin, _, _ in lives)
    over = sorted(end for _, end, _ in lives if end is not None)
    failed = sorted(end for _, end, bad in lives if bad and end is not None)
    step, found = span / points, []
    for number in range(1, points + 1):
        at = now - (points - number) * step
        running = bisect_right(begun, at) - bisect_right(over, at)
        found.append(Moment(at, running, bisect_right(failed, at) - bisect_right(failed, at - step)))
    return found


def _failed(exit_code: int | None, state: str, worker: str | None) -> bool:
    """A worker's own state knows whether its end was wanted; of other jobs only the exit tells."""
    if worker is not None:
        return worker == WorkerState.FAILED
    return state == JobState.LOST or exit_code not in (None, 0, TERMINATED)


@dataclass(frozen=True)
class Held:
    """What the database holds: its own size in bytes, and how many there are of what."""

    size_bytes: int
    users: int
    seen_today: int
    content: int
    bundles: int
    bundle_bytes: int
    events: int


def held(tx: Tx, actor: Principal) -> Held:
    """How much there is. Bundles of the same bytes are one blob and counted once in ``bundle_bytes``."""
    require(actor, Permission.SETTINGS_READ)
    blobs = select(Bundle.size_bytes).where(Bundle.deleted_at.is_(None)).group_by(Bundle.digest, Bundle.size_bytes)
    today = clock.now() - timedelta(days=1)
    alive = select(func.count()).select_from(User).where(User.deleted_at.is_(None))
    return Held(
        size_bytes=size_of(tx),
        users=tx.scalar(alive) or 0,
        seen_today=tx.scalar(alive.where(User.active_at > today)) or 0,
        content=tx.scalar(select(func.count()).select_from(Content).where(Content.deleted_at.is_(None))) or 0,
        bundles=tx.scalar(select(func.count()).select_from(Bundle).where(Bundle.deleted_at.is_(None))) or 0,
        bundle_bytes=tx.scalar(select(func.coalesce(func.sum(blobs.subquery().c.size_bytes), 0))) or 0,
        events=tx.scalar(select(func.coalesce(func.max(Event.id), 0))) or 0,
    )


def waits_since(tx: Tx, actor: Principal) -> datetime | None:
    """Since when the oldest task that could run is waiting; ``None`` when none is."""
    require(actor, Permission.TASK_LIST)
    ready = (Task.state == literal_column("'queued'"), Task.run_at <= clock.now())
    return tx.scalar(select(func.min(Task.run_at)).where(*ready))
