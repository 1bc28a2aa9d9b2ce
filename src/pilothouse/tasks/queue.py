"""The pump: claims ready tasks, runs each in a thread, keeps leases alive, takes over from the dead, starts what recurs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import func, literal_column, select, update

from pilothouse.base import clock
from pilothouse.base.errors import PilothouseError
from pilothouse.db import Database, DatabaseDown, Listener, Tx, on_commit
from pilothouse.tasks.attempt import LEASE, Attempt, as_json
from pilothouse.tasks.contract import Cancelled, Fenced, Handler, Interrupted, Retry
from pilothouse.tasks.enqueue import CHANNEL, alone, wake
from pilothouse.tasks.models import Task, TaskState
from pilothouse.tasks.recurrence import Recurring, tick

log = structlog.get_logger(__name__)
ROUND_S = 1.0
LOSSES = 20
IN_PARALLEL = 2
BROKE = "The server made a mistake. Its log holds the cause; tell an administrator."
WORN_OUT = "It was interrupted too often and was given up. Its log and the server's log say how far it came."
IS_QUEUED = Task.state == literal_column("'queued'")  # spelled out, or the indexes on some rows are not used
IS_RUNNING = Task.state == literal_column("'running'")


class Queue:
    """Runs ``handlers`` (by task kind). ``limits`` = how many tasks of one queue this process runs at once (default 2),
    ``shared_limits`` = how many all replicas run together (default: no limit).

    ``replica`` names this process across restarts: what it ran when it died is taken up at once. What another replica
    ran is taken up when its lease ends, 15 seconds after it last gave a sign. A task that is lost twenty times without
    finishing a step in between fails. ``round_at`` is when tasks were last looked for with success (``time.monotonic()``).
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        limits: Mapping[str, int],
        replica: str,
        recurring: Sequence[Recurring] = (),
        shared_limits: Mapping[str, int] | None = None,
    ) -> None:
        self._database, self._handlers = database, handlers
        self._limits, self._shared_limits = limits, shared_limits or {}
        self._replica, self._recurring = replica, recurring
        self._due: dict[str, datetime] = {}
        self._running: set[Attempt] = set()
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._beat_at, self._is_new, self._trouble, self.round_at = 0.0, True, "", time.monotonic()
        self._thread = threading.Thread(target=self._pump, name="tasks", daemon=True)
        self._listener = Listener(database, {CHANNEL: wake.set})

    def start(self) -> None:
        self._thread.start()
        self._listener.start()

    def stop(self, patience_s: float = 5.0) -> None:
        """Claim nothing more; handlers end at their next step and their tasks go back. Those that take longer are taken
        up at the next start."""
        deadline = time.monotonic() + patience_s
        self._stopping.set()
        for attempt in self._here():
            attempt.is_stopping = True
        wake.set()
        self._listener.stop()
        self._thread.join(patience_s)
        while self._here() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _here(self) -> list[Attempt]:
        with self._lock:
            return list(self._running)

    def _pump(self) -> None:
        while not self._stopping.is_set():
            wake.clear()
            try:
                self._round()
            except DatabaseDown:
                self._note("the database is away; the queue waits")
            except Exception as error:
                self._note("the queue stumbled and tries again", error)
            else:
                self._note("")
                self.round_at = time.monotonic()
            wake.wait(ROUND_S)

    def _note(self, trouble: str, error: Exception | None = None) -> None:
        """One line when trouble begins and one when it ends, however often it is met in between."""
        if trouble != self._trouble:
            log.warning(trouble or "the queue goes on", exc_info=error)
        self._trouble = trouble

    def _round(self) -> None:
        if self._is_new:
            self._take_over(Task.replica == self._replica)
            self._is_new = False
        if here := {attempt.id: attempt for attempt in self._here()}:
            asked = select(Task.id).where(Task.id.in_(list(here)), Task.cancel_asked)
            with self._database.read() as tx:
                for task_id in tx.scalars(asked):
                    here[task_id].is_cancelled = True
        if time.monotonic() >= self._beat_at:
            self._beat()
            self._take_over(Task.lease_until < clock.now())
            self._beat_at = time.monotonic() + LEASE.total_seconds() / 3
        now = clock.now()
        for work in self._recurring:
            if self._due.get(work.name, now) <= now:
                with self._database.write() as tx:
                    self._due[work.name] = tick(tx, work, now)
        self._claim()

    def _claim(self) -> None:
        busy = Counter(attempt.queue for attempt in self._here())
        ready = (IS_QUEUED, Task.run_at <= clock.now(), Task.kind.in_(list(self._handlers)))
        with self._database.read() as tx:
            waiting = tx.scalars(select(Task.queue).where(*ready).distinct()).all()
        for queue in waiting:
            if (free := self._limits.get(queue, IN_PARALLEL) - busy[queue]) <= 0:
                continue
            with self._database.write() as tx:
                chosen = select(Task).where(*ready, Task.queue == queue).order_by(Task.priority, Task.run_at, Task.id)
                chosen = chosen.limit(min(free, self._shared_room(tx, queue, free))).with_for_update(skip_locked=True)
                for task in tx.scalars(chosen).all():
                    task.state, task.replica, task.attempt = TaskState.RUNNING.value, self._replica, task.attempt + 1
                    task.lease_until, task.started_at = clock.now() + LEASE, task.started_at or clock.now()
                    on_commit(tx, partial(self._launch, task))

    def _shared_room(self, tx: Tx, queue: str, free: int) -> int:
        if queue not in self._shared_limits:
            return free
        alone(tx, queue)
        running = select(func.count()).select_from(Task).where(IS_RUNNING, Task.queue == queue)
        return max(0, self._shared_limits[queue] - tx.execute(running).scalar_one())

    def _launch(self, task: Task) -> None:
        attempt = Attempt(self._database, task)
        attempt.is_stopping = self._stopping.is_set()
        with self._lock:
            self._running.add(attempt)
        threading.Thread(target=self._run, args=(attempt,), name=f"task-{task.kind}", daemon=True).start()

    def _run(self, attempt: Attempt) -> None:
        try:
            self._settle(attempt)
        except (Fenced, DatabaseDown):
            log.warning("task was given up here; it goes on elsewhere", task=attempt.key, kind=attempt.kind)
        finally:
            with self._lock:
                self._running.discard(attempt)
            wake.set()

    def _settle(self, attempt: Attempt) -> None:
        try:
            result = as_json(self._handlers[attempt.kind](attempt))
        except Retry as again:
            attempt.put_back(again.after)
        except (Interrupted, DatabaseDown):  # nothing is lost: the step that was not recorded is done again
            attempt.put_back(timedelta(seconds=1))
        except Cancelled as error:
            attempt.end(TaskState.CANCELLED, error=str(error))
        except Fenced:
            raise
        except PilothouseError as error:
            log.info("task failed", task=attempt.key, kind=attempt.kind, error=str(error))
            attempt.end(TaskState.FAILED, error=str(error))
        except Exception as error:
            log.error("task broke", task=attempt.key, kind=attempt.kind, exc_info=error)
            attempt.end(TaskState.FAILED, error=BROKE)
        else:
            attempt.end(TaskState.DONE, result=result)

    def _beat(self) -> None:
        if mine := [attempt.id for attempt in self._here()]:
            held = (Task.id.in_(mine), Task.replica == self._replica, IS_RUNNING)
            with self._database.write() as tx:
                tx.execute(update(Task).where(*held).values(lease_until=clock.now() + LEASE))

    def _take_over(self, whose: Any) -> None:
        orphaned = (IS_RUNNING, whose, Task.id.not_in([attempt.id for attempt in self._here()]))
        with self._database.read() as tx:
            if tx.scalar(select(Task.id).where(*orphaned).limit(1)) is None:
                return
        with self._database.write() as tx:
            failed = {"state": TaskState.FAILED.value, "code": 1, "error": WORN_OUT, "ended_at": clock.now()}
            tx.execute(update(Task).where(*orphaned, Task.losses >= LOSSES - 1).values(**failed))
            back = {"state": TaskState.QUEUED.value, "lease_until": None, "losses": Task.losses + 1}
            tx.execute(update(Task).where(*orphaned).values(**back))
