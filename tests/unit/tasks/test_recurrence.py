"""Work that comes back: when, and only once however many replicas there are."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import select
from tests.factories.tasks import running, until

from pilothouse.base import clock
from pilothouse.db import Database
from pilothouse.tasks import Daily, Recurring
from pilothouse.tasks.models import Task
from pilothouse.tasks.recurrence import tick
from pilothouse.testing.clock import FrozenClock

HOURLY = Recurring("sweep", "tasks.sweep", timedelta(hours=1))
NIGHTLY = Recurring("prune", "content.prune", Daily(time(3, 0), "Europe/Oslo"))


def ticked(database: Database, work: Recurring) -> datetime:
    with database.write() as tx:
        return tick(tx, work, clock.now())


def tasks(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.scalars(select(Task.state).order_by(Task.id)))


def end_all(database: Database, state: str = "done") -> None:
    with database.write() as tx:
        for task in tx.scalars(select(Task)):
            task.state, task.ended_at = state, clock.now()


def test_an_interval_begins_at_once_and_comes_back(database: Database, frozen_clock: FrozenClock) -> None:
    assert ticked(database, HOURLY) == clock.now() + timedelta(hours=1)
    assert tasks(database) == ["queued"]
    end_all(database)
    frozen_clock.advance(minutes=59)
    ticked(database, HOURLY)
    assert tasks(database) == ["done"]
    frozen_clock.advance(minutes=1)
    ticked(database, HOURLY)
    assert tasks(database) == ["done", "queued"]


def test_missed_times_are_made_up_for_once(database: Database, frozen_clock: FrozenClock) -> None:
    ticked(database, HOURLY)
    end_all(database)
    frozen_clock.advance(days=3)
    assert ticked(database, HOURLY) == clock.now() + timedelta(hours=1)
    assert tasks(database).count("queued") == 1


def test_work_that_still_waits_is_not_piled_up(database: Database, frozen_clock: FrozenClock) -> None:
    ticked(database, HOURLY)
    frozen_clock.advance(hours=2)
    ticked(database, HOURLY)
    assert tasks(database) == ["queued"]


def test_a_shorter_interval_counts_from_now(sqlite_database: Database, frozen_clock: FrozenClock) -> None:
    ticked(sqlite_database, HOURLY)
    quick = Recurring("sweep", "tasks.sweep", timedelta(minutes=1))
    assert ticked(sqlite_database, quick) == clock.now() + timedelta(minutes=1)


def test_good_runs_are_forgotten_after_an_hour_and_bad_ones_stay(database: Database, frozen_clock: FrozenClock) -> None:
    for state in ("failed", "done", "done"):
        ticked(database, HOURLY)
        end_all_queued(database, state)
        frozen_clock.advance(hours=1, seconds=1)
    ticked(database, HOURLY)
    assert tasks(database) == ["failed", "queued"]


def end_all_queued(database: Database, state: str) -> None:
    with database.write() as tx:
        for task in tx.scalars(select(Task).where(Task.state == "queued")):
            task.state, task.ended_at = state, clock.now()


def test_daily_work_waits_for_its_hour_in_its_zone(database: Database, frozen_clock: FrozenClock) -> None:
    assert ticked(database, NIGHTLY) == datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    assert tasks(database) == []
    frozen_clock.moment = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    assert ticked(database, NIGHTLY) == datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
    assert tasks(database) == ["queued"]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (
            datetime(2026, 3, 28, 12, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        ),  # 02:30 is skipped that night
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 3, 30, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 02:30 comes twice
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 1, 45, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
    ],
)
def test_clocks_that_are_put_forward_or_back_neither_drop_nor_double_a_day(
    moment: datetime, expected: datetime
) -> None:
    assert Daily(time(2, 30), "Europe/Oslo").next_after(moment) == expected


def test_two_that_find_it_due_at_the_same_moment_start_it_once(database: Database) -> None:
    due: list[datetime] = []
    with database.write() as tx:
        first = tick(tx, HOURLY, clock.now())
        second = threading.Thread(target=lambda: due.append(ticked(database, HOURLY)))
        second.start()
        second.join(0.3)
        assert second.is_alive(), "it waits to see how the first one ends"
    second.join(10)
    assert due == [first]
    assert tasks(database) == ["queued"]


def test_replicas_start_it_once(postgres_database: Database) -> None:
    ran: list[str] = []
    work = [Recurring("x", "x", timedelta(hours=1))]
    handlers = {"x": lambda run: ran.append(run.key)}
    with (
        running(postgres_database, handlers, recurring=work),
        running(postgres_database, handlers, replica="two", recurring=work),
    ):
        until(lambda: ran)
        until(lambda: tasks(postgres_database) == ["done"])
    assert len(ran) == 1


def test_a_queue_runs_what_recurs(sqlite_database: Database) -> None:
    ran: list[str] = []
    work = [Recurring("x", "x", timedelta(seconds=0.5))]
    with running(sqlite_database, {"x": lambda run: ran.append(run.key)}, recurring=work):
        until(lambda: len(ran) >= 2, 5)
