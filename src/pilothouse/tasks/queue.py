"""The pump: claims ready tasks, runs each in a thread, keeps leases alive, takes over from the dead, starts what recurs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import structlog
from sqlalchemy import CursorResult, delete, func, select, text, update

from pilothouse.base import clock
from pilothouse.base.errors import PilothouseError
from pilothouse.db import Database, DatabaseDown, Tx, on_commit
from pilothouse.tasks.attempt import LEASE, Attempt
from pilothouse.tasks.contract import Cancelled, Fenced, Handler, Interrupted, Retry
from pilothouse.tasks.enqueue import CHANNEL, enqueue, wake
from pilothouse.tasks.models import Recurrence, Task, TaskState
from pilothouse.tasks.output import FINAL

log = structlog.get_logger(__name__)
ROUND_S = 1.0
ATTEMPTS = 20
QUEUED, RUNNING = TaskState.QUEUED.value, TaskState.RUNNING.value


@dataclass(frozen=True)
class Recurring:
    """Work that comes back ``every`` so often, once for all replicas; a missed time is not made up for."""

    name: str
    kind: str
    every: timedelta
    queue: str = "system"


class Queue:
    """Runs ``handlers`` (by task kind). ``limits`` = how many tasks of one queue this process runs at once (default 2).

    ``replica`` names this process across restarts: what it ran when it died is taken up at once.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        limits: Mapping[str, int],
        replica: str,
        recurring: Sequence[Recurring] = (),
    ) -> None:
        self._database, self._handlers, self._limits = database, handlers, limits
        self._replica, self._recurring = replica, recurring
        self._running: dict[int, tuple[Attempt, str]] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._pump, name="tasks", daemon=True)]
        if not database.is_sqlite:
            self._threads.append(threading.Thread(target=self._listen, name="tasks-listen", daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, patience_s: float = 5.0) -> None:
        """Claim nothing more; handlers end at their next step and their tasks go back. Those that take longer are taken up at the next start."""
        self._stopping.set()
        for attempt, _ in list(self._running.values()):
            attempt.is_stopping = True
        wake.set()
        deadline = time.monotonic() + patience_s
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)

    def _pump(self) -> None:
        beat_at, reclaimed, is_down = 0.0, False, False
        while not self._stopping.is_set():
            wake.clear()
            try:
                if not reclaimed:
                    self._take_over(Task.replica == self._replica)
                    reclaimed = True
                if time.monotonic() >= beat_at:
                    self._beat()
                    self._take_over(Task.lease_until < clock.now())
                    beat_at = time.monotonic() + LEASE.total_seconds() / 3
                self._recur()
                self._claim()
                is_down = False
            except DatabaseDown:
                if not is_down:
                    log.warning("database is away; the queue waits")
                is_down = True
            wake.wait(ROUND_S)

    def _claim(self) -> None:
        with self._lock:
            busy = Counter(queue for _, queue in self._running.values())
        ready = (Task.state == QUEUED, Task.run_at <= clock.now(), Task.kind.in_(list(self._handlers)))
        with self._database.read() as tx:
            waiting = {
                queue: count
                for queue, count in tx.execute(
                    select(Task.queue, func.count()).where(*ready).group_by(Task.queue)
                ).tuples()
            }
        room = {q: self._limits.get(q, 2) - busy[q] for q in waiting if self._limits.get(q, 2) > busy[q]}
        if not room:
            return
        with self._database.write() as tx:
            for queue, free in room.items():
                chosen = (
                    select(Task)
                    .where(*ready, Task.queue == queue)
                    .order_by(Task.priority, Task.run_at, Task.id)
                    .limit(free)
                )
                for task in tx.scalars(chosen.with_for_update(skip_locked=True)).all():
                    task.state, task.replica, task.attempt = RUNNING, self._replica, task.attempt + 1
                    task.lease_until, task.started_at = clock.now() + LEASE, task.started_at or clock.now()
                    tx.flush()
                    self._start_when_committed(tx, task)

    def _start_when_committed(self, tx: Tx, task: Task) -> None:

        on_commit(
            tx, lambda: threading.Thread(target=self._run, args=(task,), name=f"task-{task.kind}", daemon=True).start()
        )

    def _run(self, task: Task) -> None:
        attempt = Attempt(self._database, task)
        with self._lock:
            self._running[task.id] = (attempt, task.queue)
        try:
            self._settle(attempt, task)
        except (Fenced, DatabaseDown):
            log.warning("task was given up here; it goes on elsewhere", task=task.key, kind=task.kind)
        finally:
            with self._lock:
                del self._running[task.id]
            wake.set()

    def _settle(self, attempt: Attempt, task: Task) -> None:
        try:
            result = self._handlers[task.kind](attempt)
        except Retry as again:
            attempt.put_back(again.after)
        except Interrupted:
            attempt.put_back()
        except Cancelled as error:
            attempt.end(TaskState.CANCELLED, error=str(error))
        except (Fenced, DatabaseDown):
            raise
        except PilothouseError as error:
            log.info("task failed", task=task.key, kind=task.kind, error=str(error))
            attempt.end(TaskState.FAILED, error=str(error))
        except Exception as error:
            log.error("task broke", task=task.key, kind=task.kind, exc_info=error)
            attempt.end(
                TaskState.FAILED, error="The server made a mistake. Its log holds the cause; tell an administrator."
            )
        else:
            attempt.end(TaskState.DONE, result=result)

    def _beat(self) -> None:
        with self._lock:
            mine = {task_id: attempt for task_id, (attempt, _) in self._running.items()}
        if not mine:
            return
        with self._database.write() as tx:
            held = (Task.id.in_(list(mine)), Task.replica == self._replica, Task.state == RUNNING)
            tx.execute(update(Task).where(*held).values(lease_until=clock.now() + LEASE))
            for task_id in tx.scalars(select(Task.id).where(*held, Task.cancel_asked)).all():
                mine[task_id].is_cancelled = True

    def _take_over(self, whose: Any) -> None:
        with self._lock:
            here = list(self._running)
        orphaned = (Task.state == RUNNING, whose, Task.id.not_in(here))
        with self._database.read() as tx:
            if tx.scalar(select(Task.id).where(*orphaned).limit(1)) is None:
                return
        with self._database.write() as tx:
            lost = {
                "state": TaskState.FAILED.value,
                "code": 1,
                "error": "It was interrupted too often and was given up.",
                "ended_at": clock.now(),
            }
            tx.execute(update(Task).where(*orphaned, Task.attempt >= ATTEMPTS).values(**lost))
            tx.execute(update(Task).where(*orphaned).values(state=QUEUED, lease_until=None))

    def _recur(self) -> None:
        now = clock.now()
        with self._database.read() as tx:
            due = {name: at for name, at in tx.execute(select(Recurrence.name, Recurrence.next_at)).tuples()}
        for work in [w for w in self._recurring if due.get(w.name, now) <= now]:
            with self._database.write() as tx:
                if work.name not in due:
                    tx.merge(Recurrence(name=work.name, next_at=now + work.every))
                elif not self._is_ours(tx, work, due[work.name], now):
                    continue
                waiting = (Task.kind == work.kind, Task.state.in_([QUEUED, RUNNING]))
                if tx.scalar(select(Task.id).where(*waiting).limit(1)) is None:
                    enqueue(tx, work.kind, {}, queue=work.queue)

    def _is_ours(self, tx: Tx, work: Recurring, seen: Any, now: Any) -> bool:
        moved = (
            update(Recurrence)
            .where(Recurrence.name == work.name, Recurrence.next_at == seen)
            .values(next_at=now + work.every)
        )
        return cast("CursorResult[Any]", tx.execute(moved)).rowcount == 1

    def _listen(self) -> None:
        """PostgreSQL: wake when another replica commits work."""
        import psycopg

        while not self._stopping.is_set():
            try:
                url = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
                with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    for _ in connection.notifies(timeout=5):
                        wake.set()
            except psycopg.Error:
                self._stopping.wait(1)


def sweep(database: Database, *, older_than: timedelta) -> int:
    """Remove finished tasks with their steps and lines; returns how many."""
    old = (Task.state.in_(FINAL), Task.ended_at < clock.now() - older_than)
    with database.write() as tx:
        if not database.is_sqlite:
            tx.execute(text("SET LOCAL statement_timeout = '60s'"))
        return cast("CursorResult[Any]", tx.execute(delete(Task).where(*old))).rowcount
