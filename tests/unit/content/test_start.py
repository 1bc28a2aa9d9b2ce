"""Workers start once, whoever asks and however often; a start that went wrong leaves nothing running and no open row."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.factories.engines import SLEEPS, StandIn, add_app, add_worker, engines_over, rules_with

from pilothouse.base.access import Role
from pilothouse.content.models import Bundle, Worker, WorkerState
from pilothouse.content.service.scaling import Activity
from pilothouse.content.service.workers import move
from pilothouse.content.tasks import ContentEngines, Reconciler
from pilothouse.content.tasks.start import bring_up
from pilothouse.db import Database
from pilothouse.identity.contract import InvalidKey
from pilothouse.identity.models import ApiKey
from pilothouse.identity.service.keys import principal_of_key
from pilothouse.launcher.contract import FINAL
from pilothouse.launcher.models import Job


@pytest.fixture
def launcher() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    for running in made.store.values():
        running.process.kill()


@pytest.fixture
def engines(database: Database, tmp_path: Path, launcher: StandIn) -> ContentEngines:
    return engines_over(database, tmp_path / "engines", launcher)


@pytest.fixture
def worker(engines: ContentEngines) -> int:
    return add_worker(engines, *add_app(engines))


def rows(engines: ContentEngines, worker: int) -> tuple[Worker, Job]:
    with engines.database.read() as tx:
        found = tx.get(Worker, worker)
        assert found is not None
        job = tx.get(Job, found.job_id)
        assert job is not None
        return found, job


def settle(engines: ContentEngines, launcher: StandIn) -> None:
    """Let ended processes be noticed, then look twice as the reconciler does each second."""
    reconciler = Reconciler(engines, lambda job: Activity())
    deadline = time.monotonic() + 20
    reconciler.once()
    while any(r.status.state not in FINAL for r in launcher.store.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    reconciler.once()


def test_a_worker_that_listens_is_ready_and_its_job_row_says_where(engines: ContentEngines, worker: int) -> None:
    assert bring_up(engines, worker) is None
    found, job = rows(engines, worker)
    assert found.state == WorkerState.READY
    assert found.address == job.address is not None
    assert job.pid is not None and job.ended_at is None


def test_ten_threads_start_one_job_whose_key_works(engines: ContentEngines, launcher: StandIn, worker: int) -> None:
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda _: bring_up(engines, worker), range(10))) == [None] * 10
    assert len(launcher.store) == 1
    assert len({spec.env["CONNECT_API_KEY"] for spec in launcher.specs}) == 1
    with engines.database.read() as tx:
        person = principal_of_key(tx, launcher.specs[0].env["CONNECT_API_KEY"])
        assert len(tx.scalars(select(ApiKey)).all()) == 1
    assert person.id == 1 and person.role is Role.VIEWER and person.bound_to is not None


def test_a_start_that_was_cut_off_before_the_job_began_goes_on_with_the_same_job(
    engines: ContentEngines, launcher: StandIn, worker: int
) -> None:
    def cut_off() -> None:
        launcher.before = lambda: None
        raise KeyboardInterrupt  # as a killed process: nothing after it runs

    launcher.before = cut_off
    with pytest.raises(KeyboardInterrupt):
        bring_up(engines, worker)
    first = rows(engines, worker)[1]
    assert bring_up(engines, worker) is None
    assert rows(engines, worker)[1].key == first.key == launcher.specs[0].id
    with engines.database.read() as tx:
        assert principal_of_key(tx, launcher.specs[0].env["CONNECT_API_KEY"]).id == 1


def test_what_never_listens_is_ended_and_leaves_no_open_row(
    database: Database, tmp_path: Path, launcher: StandIn
) -> None:
    launcher.script = SLEEPS
    engines = engines_over(database, tmp_path / "e", launcher, rules_with(database, init_timeout=0.2))
    worker = add_worker(engines, *add_app(engines))
    problem = bring_up(engines, worker)
    assert problem is not None and "does not listen" in problem.sentence
    settle(engines, launcher)
    found, job = rows(engines, worker)
    assert found.state == WorkerState.FAILED
    assert job.ended_at is not None and job.exit_code == 143
    with database.read() as tx, pytest.raises(InvalidKey):
        principal_of_key(tx, launcher.specs[0].env["CONNECT_API_KEY"])


def test_a_library_that_is_gone_is_said_and_leaves_no_open_row(engines: ContentEngines, worker: int) -> None:
    with engines.database.write() as tx:
        for bundle in tx.scalars(select(Bundle)):
            bundle.library_key = "f" * 64
    problem = bring_up(engines, worker)
    assert problem is not None and "Deploy the bundle again" in problem.sentence
    found, job = rows(engines, worker)
    assert found.state == WorkerState.FAILED
    assert job.ended_at is not None and job.state == "lost"


def test_files_that_are_gone_are_said(engines: ContentEngines, worker: int) -> None:
    shutil.rmtree(engines.apps)
    problem = bring_up(engines, worker)
    assert problem is not None and "files are not on this server" in problem.sentence


def test_a_worker_that_was_ended_while_it_started_does_not_go_on_unseen(
    engines: ContentEngines, launcher: StandIn, worker: int
) -> None:
    def end() -> None:
        with engines.database.write() as tx:
            live = tx.get(Worker, worker)
            assert live is not None and move(live, WorkerState.ENDED, reason="Somebody deleted it.")

    launcher.before = end
    problem = bring_up(engines, worker)
    assert problem is not None and problem.sentence == "Somebody deleted it."
    settle(engines, launcher)
    assert all(running.status.state in FINAL for running in launcher.store.values())
    assert rows(engines, worker)[1].ended_at is not None


def test_a_job_whose_worker_ended_while_we_were_down_is_ended(
    engines: ContentEngines, launcher: StandIn, worker: int
) -> None:
    assert bring_up(engines, worker) is None
    with engines.database.write() as tx:
        live = tx.get(Worker, worker)
        assert live is not None
        move(live, WorkerState.FAILED, reason="?")
    settle(engines, launcher)
    assert rows(engines, worker)[1].exit_code == 143
