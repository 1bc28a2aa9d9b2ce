"""Reading a task: what it printed so far, and waiting for more."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from sqlalchemy import func, select

from pilothouse.base.access import ResourceRef
from pilothouse.db import Database, Tx
from pilothouse.tasks.contract import TaskUnknown, TaskView
from pilothouse.tasks.models import Task, TaskLine, TaskState

FINAL = {TaskState.DONE.value, TaskState.FAILED.value, TaskState.CANCELLED.value}
LOOK_S = 0.05
FALLBACK_S = 1.0

#: Raised whenever this process writes a line or an end; another replica's writes are seen within `FALLBACK_S`.
progress: dict[str, int] = defaultdict(int)


def output(tx: Tx, key: str, *, first: int = 0) -> TaskView:
    """The task with its lines from number ``first`` on. Raises `TaskUnknown`."""
    task = tx.scalar(select(Task).where(Task.key == key))
    if task is None:
        raise TaskUnknown(f"There is no task {key}.")
    lines = tx.scalars(
        select(TaskLine.text).where(TaskLine.task_id == task.id, TaskLine.number >= first).order_by(TaskLine.number)
    ).all()
    last = tx.scalar(select(func.count()).select_from(TaskLine).where(TaskLine.task_id == task.id)) or 0
    subject = ResourceRef(task.subject_kind, task.subject_id) if task.subject_id is not None else None
    is_finished = task.state in FINAL
    return TaskView(
        task.key, task.kind, tuple(lines), last, is_finished, task.code if is_finished else 0, task.error if is_finished else "",
        task.result, task.actor_id, subject,
    )  # fmt: skip


async def follow(database: Database, key: str, *, first: int, wait_s: float) -> TaskView:
    """As `output`, but wait up to ``wait_s`` while the task is unfinished and has printed nothing new. For async doors."""
    deadline = time.monotonic() + wait_s
    while True:
        seen, looked = progress[key], time.monotonic()
        view = await asyncio.to_thread(_read, database, key, first)
        if view.is_finished or view.lines or time.monotonic() >= deadline:
            if view.is_finished:
                progress.pop(key, None)
            return view
        while progress[key] == seen and time.monotonic() < min(deadline, looked + FALLBACK_S):
            await asyncio.sleep(LOOK_S)  # noqa: ASYNC110 - the writer is a thread, or another process


def _read(database: Database, key: str, first: int) -> TaskView:
    with database.read() as tx:
        return output(tx, key, first=first)
