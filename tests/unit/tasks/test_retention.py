"""Finished tasks go after their time, with everything that hangs on them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from tests.factories.tasks import finished, put, row, running

from pilothouse.db import Database
from pilothouse.tasks import Run, sweep
from pilothouse.tasks.models import Task, TaskLine, TaskStep
from pilothouse.testing.clock import FrozenClock


def work(run: Run) -> None:
    run.log("line")
    run.step("step", dict)


def test_only_what_finished_long_ago_is_removed(database: Database, frozen_clock: FrozenClock) -> None:
    with running(database, {"x": work}):
        finished(database, put(database, "x"))
        frozen_clock.advance(days=31)
        recent = put(database, "x")
        finished(database, recent)
    waiting = put(database, "other")
    assert sweep(database, older_than=timedelta(days=30)) == 1
    with database.read() as tx:
        assert [tx.scalar(select(func.count()).select_from(t)) for t in (Task, TaskStep, TaskLine)] == [2, 1, 1]
    assert {row(database, recent).state, row(database, waiting).state} == {"done", "queued"}


def test_many_go_in_small_batches(sqlite_database: Database, frozen_clock: FrozenClock) -> None:
    with sqlite_database.write() as tx:
        tx.add_all(
            Task(key=f"k{n}", kind="x", queue="q", args={}, state="done", ended_at=frozen_clock.moment)
            for n in range(450)
        )
    frozen_clock.advance(days=2)
    assert sweep(sqlite_database, older_than=timedelta(days=1)) == 450
