"""What runs follows the rows: who is in use is never frozen, and what is frozen and used goes on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from tests.factories.engines import StandIn, add_app, add_worker, engines_over

from pilothouse.base import clock
from pilothouse.content.models import Content, Worker, WorkerState
from pilothouse.content.tasks import ContentEngines, Reconciler
from pilothouse.content.tasks.reconcile import Activity
from pilothouse.content.tasks.rouse import Rouser
from pilothouse.content.tasks.start import bring_up
from pilothouse.db import Database
from pilothouse.launcher.contract import JobState, Signal


@dataclass
class Floor:
    """One app with a worker that is up, the reconciler, and what the access log would tell."""

    engines: ContentEngines
    launcher: StandIn
    content_id: int
    bundle_id: int
    worker_id: int
    activity: dict[str, Activity] = field(default_factory=dict)
    on_look: Callable[[str], None] = lambda key: None

    def look(self) -> None:
        Reconciler(self.engines, self._seen).once()

    def _seen(self, key: str) -> Activity:
        self.on_look(key)
        return self.activity.get(key, Activity())

    @property
    def worker(self) -> Worker:
        with self.engines.database.read() as tx:
            found = tx.get(Worker, self.worker_id)
        assert found is not None
        return found

    @property
    def key(self) -> str:
        return self.launcher.specs[-1].id

    @property
    def job(self) -> JobState:
        return self.launcher.status(self.key).state

    def rest(self) -> None:
        """As if nobody had come for an hour."""
        with self.engines.database.write() as tx:
            row = tx.get(Worker, self.worker_id)
            assert row is not None
            row.last_used_at = row.ready_at = clock.now() - timedelta(hours=1)

    def connected(self) -> socket.socket:
        host, _, port = (self.worker.address or "").rpartition(":")
        return socket.create_connection((host, int(port)))


@pytest.fixture
def floor(database: Database, tmp_path: Path) -> Iterator[Floor]:
    launcher = StandIn()
    engines = engines_over(database, tmp_path / "engines", launcher)
    content_id, bundle_id = add_app(engines)
    with database.write() as tx:
        content = tx.get(Content, content_id)
        assert content is not None
        content.bundle_id = bundle_id
    worker = add_worker(engines, content_id, bundle_id)
    assert bring_up(engines, worker) is None
    yield Floor(engines, launcher, content_id, bundle_id, worker)
    for running in launcher.store.values():
        running.process.kill()


def test_an_idle_worker_is_frozen(floor: Floor) -> None:
    floor.rest()
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.FROZEN, JobState.FROZEN)


def test_a_worker_with_an_open_socket_is_not_frozen(floor: Floor) -> None:
    floor.rest()
    floor.activity[floor.key] = Activity(open_sockets=1)
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


def test_a_frozen_worker_with_an_open_socket_is_not_evicted(floor: Floor) -> None:
    floor.rest()
    floor.look()
    object.__setattr__(floor.engines, "frozen_limit", 0)
    floor.activity[floor.key] = Activity(open_sockets=1)
    floor.look()
    assert floor.worker.state == WorkerState.READY


def test_a_freezing_that_was_cut_off_is_completed(floor: Floor) -> None:
    with floor.engines.database.write() as tx:
        row = tx.get(Worker, floor.worker_id)
        assert row is not None
        row.state = WorkerState.FROZEN.value
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.FROZEN, JobState.FROZEN)


def test_a_thaw_in_the_middle_of_freezing_wins(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    floor.rest()
    rouser = Rouser(floor.engines, lambda content_id, bundle_id: floor.worker_id)
    signal = floor.launcher.signal

    def late(key: str, what: Signal) -> None:
        monkeypatch.setattr(floor.launcher, "signal", signal)
        if what is Signal.FREEZE:
            rouser.rouse(floor.content_id, floor.bundle_id)
        signal(key, what)

    monkeypatch.setattr(floor.launcher, "signal", late)
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.READY, JobState.RUNNING)


def test_a_draining_worker_that_is_frozen_lets_its_open_socket_go_on(floor: Floor) -> None:
    floor.rest()
    floor.look()
    with floor.engines.database.write() as tx:
        row = tx.get(Worker, floor.worker_id)
        assert row is not None
        row.state, row.last_used_at = WorkerState.DRAINING.value, clock.now()
    floor.activity[floor.key] = Activity(open_sockets=1)
    floor.look()
    assert (floor.worker.state, floor.job) == (WorkerState.DRAINING, JobState.RUNNING)
