"""Queues that run for one test, and waiting for what their threads do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from pilothouse.db import Database
from pilothouse.tasks import Handler, Queue, TaskView, enqueue, output
from pilothouse.tasks.models import Task


@contextmanager
def running(database: Database, handlers: Mapping[str, Handler], **options: Any) -> Iterator[Queue]:
    """A started queue; stopped at the end of the block."""
    queue = Queue(
        database, handlers, limits=options.pop("limits", {}), replica=options.pop("replica", "one"), **options
    )
    queue.start()
    try:
        yield queue
    finally:
        queue.stop()


def put(database: Database, kind: str, args: Mapping[str, Any] | None = None, **options: Any) -> str:
    """Enqueue and commit; returns the task's key."""
    with database.write() as tx:
        return enqueue(tx, kind, args or {}, **options).key


def seen(database: Database, key: str) -> TaskView:
    with database.read() as tx:
        return output(tx, key)


def row(database: Database, key: str) -> Task:
    with database.read() as tx:
        return tx.scalars(select(Task).where(Task.key == key)).one()


def finished(database: Database, key: str, *, within_s: float = 10) -> TaskView:
    """The task once it is finished."""
    until(lambda: seen(database, key).is_finished, within_s)
    return seen(database, key)


def until(is_so: Callable[[], object], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} seconds")
        time.sleep(0.01)
