"""One attempt at one task: every write is guarded by the attempt's number, the fencing token."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, func, select, update

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef
from pilothouse.db import Database, DatabaseDown, Tx
from pilothouse.tasks.contract import Cancelled, Fenced, Interrupted
from pilothouse.tasks.enqueue import announce
from pilothouse.tasks.models import Task, TaskLine, TaskState, TaskStep
from pilothouse.tasks.output import tell

T = TypeVar("T")
LEASE = timedelta(seconds=15)
PATIENCE_S = 120.0
AGAIN_S = 0.5
LINE_LIMIT = 8_000
CONTROLS = {n: f"\\x{n:02x}" for n in (*range(9), 11, 12, *range(14, 32), *range(127, 160))}


class Attempt:
    """Implements `contract.Run`. While the database is away, every method waits up to two minutes for it to come back."""

    def __init__(self, database: Database, task: Task) -> None:
        self.database = database
        self.id, self.key, self.actor_id = task.id, task.key, task.actor_id
        self.kind, self.queue, self.number = task.kind, task.queue, task.attempt
        self.args: Mapping[str, Any] = task.args
        self.subject = ResourceRef(task.subject_kind, task.subject_id) if task.subject_id is not None else None
        self.is_cancelled, self.is_stopping = False, False
        self._printing = threading.Lock()
        self._next: int | None = None

    def step(self, name: str, work: Callable[[], Mapping[str, Any] | None]) -> dict[str, Any]:
        if self.is_cancelled:
            raise Cancelled
        if self.is_stopping:
            raise Interrupted
        recorded = self._patiently(lambda: self._recorded(name))
        if recorded is not None:
            return recorded
        result = as_json(work()) or {}
        self._write(lambda tx: tx.merge(TaskStep(task_id=self.id, name=name, result=result)), losses=0)
        return result

    def log(self, text: str) -> None:
        lines = [_printable(line)[:LINE_LIMIT] for line in text.splitlines()] or [""]

        def add(tx: Tx) -> int:
            first = self._next
            if first is None:
                last = func.coalesce(func.max(TaskLine.number), -1)
                first = tx.execute(select(last).where(TaskLine.task_id == self.id)).scalar_one() + 1
            self._next = None  # until it is known that these lines are there
            tx.add_all(TaskLine(task_id=self.id, number=first + n, text=line) for n, line in enumerate(lines))
            return first

        with self._printing:
            self._next = self._write(add) + len(lines)
        tell(self.key)

    def end(self, state: TaskState, *, result: Mapping[str, Any] | None = None, error: str = "") -> None:
        code = 0 if state is TaskState.DONE else 1
        last = {"state": state.value, "code": code, "result": result, "error": _printable(error)}
        self._write(lambda tx: None, **last, ended_at=clock.now(), lease_until=None)
        tell(self.key)

    def put_back(self, after: timedelta = timedelta(0)) -> None:
        self._write(announce, state=TaskState.QUEUED.value, run_at=clock.now() + after, lease_until=None)

    def _recorded(self, name: str) -> dict[str, Any] | None:
        with self.database.read() as tx:
            done = tx.get(TaskStep, (self.id, name))
        return done.result if done else None

    def _write(self, change: Callable[[Tx], T], **columns: Any) -> T:
        """Do ``change`` if this attempt still holds the task, else raise `Fenced`. ``change`` may be done twice."""
        mine = (Task.id == self.id, Task.attempt == self.number, Task.state == TaskState.RUNNING.value)

        def write() -> T:
            values = {"lease_until": clock.now() + LEASE, **columns}
            with self.database.write() as tx:
                if cast("CursorResult[Any]", tx.execute(update(Task).where(*mine).values(**values))).rowcount != 1:
                    raise Fenced
                return change(tx)

        return self._patiently(write)

    def _patiently(self, act: Callable[[], T]) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return act()
            except DatabaseDown:
                if self.is_stopping or time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_S)


def as_json(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a later attempt will read back. Raises ``TypeError`` for what is not JSON."""
    return None if value is None else cast("dict[str, Any]", json.loads(json.dumps(dict(value))))


def _printable(text: str) -> str:
    """Without bytes that could steer a terminal or that a database refuses."""
    return text.encode("utf-8", "replace").decode().translate(CONTROLS)
