"""One attempt at one task: every write is guarded by the attempt's number, the fencing token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, update

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef
from pilothouse.db import Database, DatabaseDown, Tx, on_commit
from pilothouse.tasks.contract import Cancelled, Fenced, Interrupted
from pilothouse.tasks.enqueue import announce
from pilothouse.tasks.models import Task, TaskLine, TaskState, TaskStep
from pilothouse.tasks.output import progress

LEASE = timedelta(seconds=15)
PATIENCE_S = 120.0
LINE_LIMIT = 8_000


class Attempt:
    """Implements `contract.Run`."""

    def __init__(self, database: Database, task: Task) -> None:
        self.database, self._task = database, task
        self.id, self.key, self.actor_id = task.id, task.key, task.actor_id
        self.args: Mapping[str, Any] = task.args
        self.subject = ResourceRef(task.subject_kind, task.subject_id) if task.subject_id is not None else None
        self.is_cancelled, self.is_stopping = False, False
        self._next: int | None = None

    def step(self, name: str, work: Callable[[], Mapping[str, Any] | None]) -> dict[str, Any]:
        if self.is_cancelled:
            raise Cancelled
        if self.is_stopping:
            raise Interrupted
        with self.database.read() as tx:
            done = tx.get(TaskStep, (self.id, name))
        if done is not None:
            return done.result
        result = dict(work() or {})
        self._write(lambda tx: tx.add(TaskStep(task_id=self.id, name=name, result=result)))
        return result

    def log(self, text: str) -> None:
        lines = [line[:LINE_LIMIT].replace("\0", "\\0") for line in text.splitlines()] or [""]

        def add(tx: Tx) -> None:
            first = self._next
            if first is None:
                first = tx.scalar(select(func.count()).select_from(TaskLine).where(TaskLine.task_id == self.id)) or 0
            tx.add_all(TaskLine(task_id=self.id, number=first + n, text=line) for n, line in enumerate(lines))
            on_commit(tx, lambda: setattr(self, "_next", first + len(lines)))

        self._write(add)
        progress[self.key] += 1

    def end(self, state: TaskState, *, result: Mapping[str, Any] | None = None, error: str = "") -> None:
        code = 0 if state is TaskState.DONE else 1
        kept = None if result is None else dict(result)
        self._write(
            lambda tx: None,
            state=state.value,
            result=kept,
            error=error,
            code=code,
            ended_at=clock.now(),
            lease_until=None,
        )
        progress[self.key] += 1

    def put_back(self, after: timedelta = timedelta(0)) -> None:
        self._write(announce, state=TaskState.QUEUED.value, run_at=clock.now() + after, lease_until=None)

    def _write(self, change: Callable[[Tx], None], **columns: Any) -> None:
        """Do ``change`` if this attempt still holds the task, else raise `Fenced`. Waits out a database that is away."""
        deadline = time.monotonic() + PATIENCE_S
        columns = {"lease_until": clock.now() + LEASE, **columns}
        while True:
            try:
                with self.database.write() as tx:
                    mine = (
                        Task.id == self.id,
                        Task.attempt == self._task.attempt,
                        Task.state == TaskState.RUNNING.value,
                    )
                    if cast("CursorResult[Any]", tx.execute(update(Task).where(*mine).values(**columns))).rowcount != 1:
                        raise Fenced
                    change(tx)
                return
            except DatabaseDown:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
