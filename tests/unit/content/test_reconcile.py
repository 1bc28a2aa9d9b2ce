"""What runs follows the rows: who is in use is never frozen, and what is frozen and used goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.factories.floor import Floor, shop_floor
from tests.factories.statements import plan_of, statements

from pilothouse.base import clock
from pilothouse.content.models import Worker, WorkerState
from pilothouse.content.service.scaling import Activity
from pilothouse.content.tasks.rouse import Rouser
from pilothouse.db import Database
from pilothouse.launcher.contract import JobState, Signal, SignalRefused


@pytest.fixture
def floor(database: Database, tmp_path: Path) -> Iterator[Floor]:
    with shop_floor(database, tmp_path) as made:
        made.wake()
        assert made.start_all() == [None]
        yield made


def test_an_idle_worker_is_frozen(floor: Floor) -> None:
    floor.rest()
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.FROZEN, JobState.FROZEN)


def test_a_worker_with_an_open_socket_is_not_frozen(floor: Floor) -> None:
    floor.rest()
    floor.activity[floor.key] = Activity(open_sockets=1)
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


@pytest.mark.parametrize(
    "granted", [Activity(grants=1), Activity(granted_until=2.0**40)], ids=["has a grant", "may have one"]
)
def test_a_worker_that_somebody_may_ask_past_the_door_is_not_frozen(floor: Floor, granted: Activity) -> None:
    floor.rest()
    floor.activity[floor.key] = granted
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


def test_a_request_on_its_way_that_no_log_tells_of_yet_keeps_a_worker_from_freezing(floor: Floor) -> None:
    floor.rest()
    with floor.connected():
        floor.look()
        assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


def test_who_is_let_through_just_before_the_freezing_is_served(floor: Floor) -> None:
    """The row says frozen, the signal was not given yet."""
    floor.rest()
    sockets = list[socket.socket]()

    def come(key: str) -> None:
        if floor.worker.state == WorkerState.FROZEN and not sockets:
            sockets.append(floor.connected())

    floor.on_look = come
    floor.look()
    assert len(sockets) == 1
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


@pytest.mark.parametrize("told_by", ["the log", "the kernel"])
def test_a_frozen_worker_with_an_open_socket_goes_on(floor: Floor, told_by: str) -> None:
    floor.rest()
    floor.look()
    if told_by == "the log":
        floor.activity[floor.key] = Activity(open_sockets=1)
        floor.look()
    else:
        with floor.connected():
            floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


def test_a_frozen_worker_with_an_open_socket_is_not_evicted(database: Database, tmp_path: Path) -> None:
    with shop_floor(database, tmp_path, frozen_limit=0) as floor:
        floor.wake()
        floor.start_all()
        floor.rest()
        floor.look()
        floor.activity[floor.key] = Activity(open_sockets=1)
        floor.look()
        assert floor.worker.state == WorkerState.READY


def test_a_freezing_that_was_cut_off_is_completed(floor: Floor) -> None:
    with floor.engines.database.write() as tx:
        row = tx.get(Worker, floor.worker.id)
        assert row is not None
        row.state = WorkerState.FROZEN.value
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.FROZEN, JobState.FROZEN)


def test_a_thaw_in_the_middle_of_freezing_wins(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    floor.rest()
    rouser = Rouser(floor.engines, lambda *ids: floor.worker.id)
    signal = floor.launcher.signal

    def late(key: str, what: Signal) -> None:
        monkeypatch.setattr(floor.launcher, "signal", signal)
        if what is Signal.FREEZE:
            rouser.rouse(floor.content_id, floor.bundle_id, None)
        signal(key, what)

    monkeypatch.setattr(floor.launcher, "signal", late)
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


def test_a_worker_that_can_not_be_frozen_goes_on(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = floor.launcher.signal

    def refuse(key: str, what: Signal) -> None:
        if what is Signal.FREEZE:
            raise SignalRefused
        signal(key, what)

    monkeypatch.setattr(floor.launcher, "signal", refuse)
    floor.rest()
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


def test_a_draining_worker_that_is_frozen_lets_its_open_socket_go_on(floor: Floor) -> None:
    floor.rest()
    floor.look()
    with floor.engines.database.write() as tx:
        row = tx.get(Worker, floor.worker.id)
        assert row is not None
        row.state, row.last_used_at = WorkerState.DRAINING.value, clock.now()
    floor.activity[floor.key] = Activity(open_sockets=1)
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.DRAINING, JobState.RUNNING)


@pytest.mark.parametrize("use", [Activity(open_sockets=1), Activity(grants=1)], ids=["an open socket", "a grant"])
def test_draining_waits_for_whoever_is_there_until_its_limit(floor: Floor, use: Activity) -> None:
    def drain(since_s: float) -> None:
        with floor.engines.database.write() as tx:
            row = tx.get(Worker, floor.worker.id)
            assert row is not None
            row.state, row.last_used_at = WorkerState.DRAINING.value, clock.now() - timedelta(seconds=since_s)

    limit = floor.engines.drain_timeout.total_seconds()
    floor.activity[floor.key] = use
    drain(limit - 30)
    floor.look()
    assert floor.job is JobState.RUNNING
    drain(limit + 1)
    floor.look()
    assert floor.job in (JobState.STOPPING, JobState.ENDED)


def test_draining_ends_soon_when_nobody_is_there(floor: Floor) -> None:
    with floor.engines.database.write() as tx:
        row = tx.get(Worker, floor.worker.id)
        assert row is not None
        row.state, row.last_used_at = WorkerState.DRAINING.value, clock.now() - timedelta(seconds=6)
    floor.look()
    floor.until(lambda: floor.job is JobState.ENDED)
    floor.look()
    assert floor.worker.state == WorkerState.ENDED


def test_a_look_reads_only_what_runs(floor: Floor) -> None:
    """And what is never to be without a worker: neither what ran before nor content that sleeps is gone through each second."""
    database = floor.engines.database
    if not database.is_sqlite:
        pytest.skip("PostgreSQL chooses by how many rows there are")
    with statements(database) as sent:
        floor.look()
    plans = {one.text: plan_of(database, one) for one in sent if one.reads and "FROM epoch" not in one.text}
    assert len(plans) >= 3
    assert [plan for plan in plans.values() if "SCAN" in plan] == []
