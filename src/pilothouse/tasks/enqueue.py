"""Putting work into the queue, and asking it to stop."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef
from pilothouse.base.ids import new_key
from pilothouse.db import Tx, on_commit
from pilothouse.tasks.models import Task, TaskState
from pilothouse.tasks.output import tell

#: Set when this process has committed work; the queue's pump waits on it.
wake = threading.Event()
CHANNEL = "pilothouse_task"


def enqueue(  # noqa: PLR0913 - a task row has that many facts
    tx: Tx,
    kind: str,
    args: Mapping[str, Any],
    *,
    queue: str = "default",
    actor_id: int | None = None,
    subject: ResourceRef | None = None,
    unique_key: str | None = None,
    run_at: datetime | None = None,
    priority: int = 100,
) -> Task:
    """Add a task in the caller's transaction; lower ``priority`` runs earlier.

    With ``unique_key`` a second call returns the first task, also a finished one for as long as it is kept.
    """
    if unique_key is not None:
        alone(tx, unique_key)
        found = tx.scalar(select(Task).where(Task.unique_key == unique_key))
        if found is not None:
            return found
    task = Task(
        key=new_key(16),
        kind=kind,
        queue=queue,
        args=dict(args),
        actor_id=actor_id,
        subject_kind=subject.kind if subject else "",
        subject_id=subject.id if subject else None,
        unique_key=unique_key,
        run_at=run_at or clock.now(),
        priority=priority,
    )
    tx.add(task)
    tx.flush()
    announce(tx)
    return task


def cancel(tx: Tx, task: Task) -> None:
    """Ask a task to end: a waiting one ends at once, a running one at its next step. A finished one is left alone."""
    tx.refresh(task, with_for_update=True)
    if task.state == TaskState.QUEUED:
        task.state, task.code, task.ended_at = TaskState.CANCELLED.value, 1, clock.now()
        task.error = "The task was cancelled."
    elif task.state == TaskState.RUNNING:
        task.cancel_asked = True
    announce(tx)
    on_commit(tx, lambda: tell(task.key))


def announce(tx: Tx) -> None:
    """Wake the pumps of all replicas when this transaction commits."""
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(text(f"SELECT pg_notify('{CHANNEL}', '')"))
    on_commit(tx, wake.set)


def alone(tx: Tx, what: str) -> None:
    """Until ``tx`` ends, nobody else passes here for the same ``what``. On SQLite a writer is alone anyway."""
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": f"tasks {what}"})
