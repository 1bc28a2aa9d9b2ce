"""One app on a shop floor of its own: its worker rows, real processes behind them, the reconciler, and what the log would tell."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.factories.engines import StandIn, add_app, engines_over, rules_with

from pilothouse.base import clock
from pilothouse.base.ids import new_guid, new_key
from pilothouse.content.models import Bundle, Content, Worker, WorkerState
from pilothouse.content.service.scaling import Activity
from pilothouse.content.service.workers import LIVE, START, wanted_worker
from pilothouse.content.tasks import ContentEngines, Reconciler
from pilothouse.content.tasks.start import bring_up
from pilothouse.db import Database
from pilothouse.launcher.contract import FINAL, JobState
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task, TaskState


@dataclass
class Floor:
    """``activity`` is what the access log would tell of a job; ``on_look`` is called when the reconciler asks for it."""

    engines: ContentEngines
    launcher: StandIn
    content_id: int
    bundle_id: int
    activity: dict[str, Activity] = field(default_factory=dict)
    on_look: Callable[[str], None] = lambda key: None

    def __post_init__(self) -> None:
        self.reconciler = Reconciler(self.engines, self._seen)

    def look(self) -> None:
        self.reconciler.once()

    def _seen(self, key: str) -> Activity:
        self.on_look(key)
        return self.activity.get(key, Activity())

    def wake(self, visitor_id: int | None = None) -> int:
        return wanted_worker(self.engines.database, self.content_id, self.bundle_id, visitor_id)

    def start_all(self) -> list[str | None]:
        """Do what stands in the queue of starts, in its order; returns what went wrong with each, if anything."""
        with self.engines.database.write() as tx:
            waiting = tx.scalars(
                select(Task)
                .where(Task.kind == START, Task.state == TaskState.QUEUED.value)
                .order_by(Task.priority, Task.run_at, Task.id)
            ).all()
            for task in waiting:
                task.state = TaskState.DONE.value
        problems = [bring_up(self.engines, int(task.args["worker_id"])) for task in waiting]
        return [problem.sentence if problem else None for problem in problems]

    def workers(self, *states: WorkerState) -> list[Worker]:
        """In the order of their slots; the live ones unless others are asked for."""
        asked = [state.value for state in states] or LIVE
        with self.engines.database.read() as tx:
            mine = (Worker.bundle_id == self.bundle_id, Worker.state.in_(asked))
            return list(tx.scalars(select(Worker).where(*mine).order_by(Worker.slot, Worker.id)))

    @property
    def states(self) -> list[str]:
        return [worker.state for worker in self.workers()]

    @property
    def worker(self) -> Worker:
        """The newest."""
        with self.engines.database.read() as tx:
            found = tx.scalar(select(Worker).order_by(Worker.id.desc()).limit(1))
        assert found is not None
        return found

    def key_of(self, worker: Worker) -> str:
        with self.engines.database.read() as tx:
            job = tx.get(Job, worker.job_id)
        assert job is not None
        return job.key

    @property
    def key(self) -> str:
        return self.key_of(self.worker)

    @property
    def job(self) -> JobState:
        return self.launcher.status(self.key).state

    def set(self, **fields: Any) -> None:
        """Fields of the content, past its verbs."""
        with self.engines.database.write() as tx:
            content = tx.get(Content, self.content_id)
            assert content is not None
            for name, value in fields.items():
                setattr(content, name, value)

    def rest(self) -> None:
        """As if nobody had come for an hour."""
        with self.engines.database.write() as tx:
            for row in tx.scalars(select(Worker).where(Worker.state == WorkerState.READY.value)):
                row.last_used_at = row.ready_at = clock.now() - timedelta(hours=1)

    def ended(self, *, seconds_ago: float) -> None:
        """As if the newest worker had ended then."""
        with self.engines.database.write() as tx:
            row = tx.get(Worker, self.worker.id)
            assert row is not None
            row.ended_at = clock.now() - timedelta(seconds=seconds_ago)

    def use(self, *loads: int) -> None:
        """So many open sockets for each live worker, by slot."""
        keys = [self.key_of(worker) for worker in self.workers()]
        self.activity = {key: Activity(open_sockets=load) for key, load in zip(keys, loads, strict=True)}

    def another(self) -> int:
        """A bundle of another content, with a worker that is up; returns the worker's id."""
        with self.engines.database.write() as tx:
            content = Content(
                guid=new_guid(), lineage_id="", stage_id=1, owner_id=1, name=new_key(8), app_mode="python-fastapi"
            )
            tx.add(content)
            tx.flush()
            first = tx.get(Bundle, self.bundle_id)
            assert first is not None
            bundle = Bundle(
                content_id=content.id, digest=first.digest, size_bytes=1, archive_md5="", archive_sha1="",
                manifest=first.manifest, library_key=first.library_key,
            )  # fmt: skip
            tx.add(bundle)
            tx.flush()
            content.bundle_id = bundle.id
        self.engines.folder(content, bundle).mkdir(parents=True)
        worker_id = wanted_worker(self.engines.database, content.id, bundle.id)
        assert self.start_all() == [None]
        return worker_id

    def state_of(self, worker_id: int) -> str:
        with self.engines.database.read() as tx:
            found = tx.get(Worker, worker_id)
        assert found is not None
        return found.state

    def kill(self, worker: Worker) -> None:
        key = self.key_of(worker)
        os.kill(self.launcher.status(key).pid or 0, signal.SIGKILL)
        self.until(lambda: self.launcher.status(key).state in FINAL)

    def connected(self) -> socket.socket:
        host, _, port = (self.worker.address or "").rpartition(":")
        return socket.create_connection((host, int(port)))

    @staticmethod
    def until(what: Callable[[], object], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.02)


@contextmanager
def shop_floor(database: Database, folder: Path, *, frozen_limit: int = 50, **content: Any) -> Iterator[Floor]:
    """An app whose bundle is active and that nobody has woken; ``content`` are options of ``[content]``."""
    launcher = StandIn()
    engines = engines_over(database, folder / "engines", launcher, rules_with(database, **content))
    engines = replace(engines, frozen_limit=frozen_limit)
    content_id, bundle_id = add_app(engines)
    floor = Floor(engines, launcher, content_id, bundle_id)
    floor.set(bundle_id=bundle_id, app_mode="python-fastapi")
    try:
        yield floor
    finally:
        for running in launcher.store.values():
            running.process.kill()
