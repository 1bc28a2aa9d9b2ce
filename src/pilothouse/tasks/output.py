"""Reading a task: what it printed so far, and waiting for more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import func, select

from pilothouse.base.access import ResourceRef
from pilothouse.db import Database, DatabaseDown, Tx
from pilothouse.tasks.contract import TaskUnknown, TaskView
from pilothouse.tasks.models import Task, TaskLine, TaskState

FINAL = {TaskState.DONE.value, TaskState.FAILED.value, TaskState.CANCELLED.value}
FALLBACK_S = 1.0

#: Who waits for news of a task in this process: its key, and an event with the loop it belongs to.
_followers: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}


def output(tx: Tx, key: str, *, first: int = 0) -> TaskView:
    """The task with its lines from number ``first`` on. Raises `TaskUnknown`."""
    task = tx.scalar(select(Task).where(Task.key == key))
    if task is None:
        raise TaskUnknown(f"There is no task {key}.")
    own = TaskLine.task_id == task.id
    lines = tx.scalars(select(TaskLine.text).where(own, TaskLine.number >= first).order_by(TaskLine.number)).all()
    last = tx.scalar(select(func.max(TaskLine.number)).where(own))
    is_finished = task.state in FINAL
    return TaskView(
        key=task.key,
        kind=task.kind,
        lines=tuple(lines),
        last=0 if last is None else last + 1,
        is_finished=is_finished,
        code=task.code if is_finished else 0,
        error=task.error if is_finished else "",
        result=task.result,
        actor_id=task.actor_id,
        subject=ResourceRef(task.subject_kind, task.subject_id) if task.subject_id is not None else None,
    )


async def follow(database: Database, key: str, *, first: int, wait_s: float) -> TaskView:
    """As `output`, but wait up to ``wait_s`` while the task is unfinished and has printed nothing new. For async doors.

    News from this process arrive at once, those from another replica within a second. A database that is away is
    waited for, too; if it stays away, raises `DatabaseDown`.
    """
    deadline = time.monotonic() + wait_s
    with _news_of(key) as news:
        while True:
            news.clear()
            view = None
            try:
                view = await asyncio.to_thread(_read, database, key, first)
            except DatabaseDown:
                if time.monotonic() >= deadline:
                    raise
            left = deadline - time.monotonic()
            if view is not None and (view.is_finished or view.lines or left <= 0):
                return view
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), max(0.0, min(left, FALLBACK_S)))


def tell(key: str) -> None:
    """There is news of this task. From any thread, after the commit."""
    for loop, event in list(_followers.get(key, ())):
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(event.set)


@contextmanager
def _news_of(key: str) -> Iterator[asyncio.Event]:
    me = (asyncio.get_running_loop(), asyncio.Event())
    _followers.setdefault(key, set()).add(me)
    try:
        yield me[1]
    finally:
        _followers[key].discard(me)
        if not _followers[key]:
            del _followers[key]


def _read(database: Database, key: str, first: int) -> TaskView:
    with database.read() as tx:
        return output(tx, key, first=first)
