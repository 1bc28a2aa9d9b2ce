"""Workers that are killed, stopped, or lose their database: every step counts once and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.factories.tasks import finished, put, row, seen, until

from pilothouse.db import Database, schema
from pilothouse.tasks.models import Task, TaskStep
from pilothouse.testing.postgres import PostgresMissing, PostgresServer

PROGRAM = Path(__file__).parents[1] / "doubles" / "task_worker.py"
STEPS = 5
QUICK_LEASE_S = 2.0


class Workers:
    """Worker processes on one database, and the marks that their steps left."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.marks = url, folder / "marks"
        self.alive: list[subprocess.Popen[bytes]] = []

    def start(self, replica: str = "one", *, lease_s: float = 15) -> subprocess.Popen[bytes]:
        up = Path(f"{self.marks}.{replica}.up")
        up.unlink(missing_ok=True)
        with self.log(replica).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), self.url, replica, str(self.marks), str(lease_s)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
            )
        self.alive.append(process)
        until(up.exists, 60)
        return process

    def log(self, replica: str) -> Path:
        return Path(f"{self.marks}.{replica}.log")

    def steps(self) -> list[int]:
        """The numbers of the steps that were begun, in order."""
        return [int(line.split()[0]) for line in self.marks.read_text().splitlines()] if self.marks.exists() else []

    def end(self) -> None:
        for process in self.alive:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(database_url, tmp_path)
    yield workers
    workers.end()


@pytest.fixture
def postgres_workers(postgres_url: str, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(postgres_url, tmp_path)
    yield workers
    workers.end()


@contextlib.contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def recorded(database: Database) -> dict[str, str]:
    with database.read() as tx:
        return {step.name: step.result["by"] for step in tx.scalars(select(TaskStep).order_by(TaskStep.at))}


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)


def test_a_worker_killed_while_a_step_works_repeats_that_step_only(workers: Workers) -> None:
    with opened(workers.url) as database:
        key = put(database, "build", {"step_s": 0.3})
        for n in range(STEPS):
            process = workers.start()
            until(lambda n=n: n in workers.steps(), 20)
            kill(process)
        workers.start()
        view = finished(database, key, within_s=30)
        assert (view.code, view.error, view.result) == (0, "", {"found": list(range(STEPS))})
        assert workers.steps() == [n for n in range(STEPS) for _ in range(2)]
        assert list(recorded(database)) == [f"step-{n}" for n in range(STEPS)]
        assert row(database, key).attempt == STEPS + 1
        told = [line for line in view.lines if line.endswith("ends")]
        assert told == [f"step {n} ends" for n in range(STEPS)]


def test_a_worker_killed_after_a_step_was_recorded_never_repeats_it(workers: Workers) -> None:
    with opened(workers.url) as database:
        key = put(database, "build", {"step_s": 0.15})
        for n in range(STEPS - 1):
            process = workers.start()
            until(lambda n=n: f"step-{n}" in recorded(database), 20)
            kill(process)
        workers.start()
        assert finished(database, key, within_s=30).code == 0
        counted = Counter(workers.steps())
        assert workers.steps() == sorted(workers.steps())
        assert set(counted) == set(range(STEPS))
        assert max(counted.values()) <= 2, "a step that had just begun may be repeated, a recorded one may not"
        assert counted[0] == 1


def test_kills_at_any_moment_lose_nothing(workers: Workers) -> None:
    moments = random.Random(7)
    with opened(workers.url) as database:
        key = put(database, "build", {"step_s": 0.1})
        for _ in range(8):
            process = workers.start()
            time.sleep(moments.uniform(0, 0.4))
            kill(process)
            if seen(database, key).is_finished:
                break
        workers.start()
        view = finished(database, key, within_s=30)
        assert (view.code, view.result) == (0, {"found": list(range(STEPS))})
        assert workers.steps() == sorted(workers.steps())
        assert len(recorded(database)) == STEPS
        with database.read() as tx:
            assert tx.scalars(select(Task.state)).all() == ["done"]


def test_a_worker_asked_to_stop_hands_its_tasks_back_at_once(workers: Workers) -> None:
    with opened(workers.url) as database:
        key = put(database, "build", {"step_s": 0.5})
        process = workers.start()
        until(lambda: 1 in workers.steps(), 20)
        process.terminate()
        assert process.wait(10) == 0
        assert (row(database, key).state, row(database, key).losses) == ("queued", 0)
        workers.start()
        assert finished(database, key, within_s=30).code == 0
        assert workers.steps() == list(range(STEPS))


def test_a_stopped_worker_is_overtaken_and_its_late_result_is_refused(postgres_workers: Workers) -> None:
    workers = postgres_workers
    with opened(workers.url) as database:
        key = put(database, "build", {"step_s": 0.8})
        first = workers.start("first", lease_s=QUICK_LEASE_S)
        workers.start("second", lease_s=QUICK_LEASE_S)
        until(lambda: 1 in workers.steps() or row(database, key).replica == "second", 20)
        if row(database, key).replica == "second":
            pytest.skip("the second worker was quicker; the other tests cover it")
        first.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: row(database, key).replica == "second", 20)
        taken_after = time.monotonic() - stopped
        view = finished(database, key, within_s=30)
        first.send_signal(signal.SIGCONT)
        until(lambda: b"given up here" in workers.log("first").read_bytes(), 20)
        assert finished(database, key) == view, "what the revived worker did changed nothing"
        assert QUICK_LEASE_S - 1 < taken_after < QUICK_LEASE_S * 4 / 3 + 3
        assert recorded(database) == {f"step-{n}": "first" if n == 0 else "second" for n in range(STEPS)}
        assert max(Counter(workers.steps()).values()) == 2


def test_a_killed_workers_tasks_are_taken_over_by_another_replica(postgres_workers: Workers) -> None:
    workers = postgres_workers
    with opened(workers.url) as database:
        first = workers.start("first", lease_s=QUICK_LEASE_S)
        keys = [put(database, "build", {"step_s": 0.4}) for _ in range(2)]
        until(lambda: len(workers.steps()) >= 4, 20)
        kill(first)
        killed = time.monotonic()
        workers.start("second", lease_s=QUICK_LEASE_S)
        for key in keys:
            assert finished(database, key, within_s=30).code == 0
        assert time.monotonic() - killed < 20
        assert max(Counter(workers.steps()).values()) <= 4


def test_workers_of_two_processes_keep_the_shared_limit(postgres_workers: Workers) -> None:
    workers = postgres_workers
    with opened(workers.url) as database:
        workers.start("first")
        workers.start("second")
        keys = [put(database, "hold", {"hold_s": 0.2}) for _ in range(15)]
        for key in keys:
            finished(database, key, within_s=30)
    now = most = 0
    by: set[str] = set()
    for line in workers.marks.read_text().splitlines():
        sign, replica = line.split()
        now += 1 if sign == "+" else -1
        most = max(most, now)
        by.add(replica)
    assert most == 3
    assert by == {"first", "second"}


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that this test may break."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        pytest.skip(f"NOT EXERCISED: an outage of PostgreSQL. {error}")
    server.start()
    yield server
    server.remove()


def test_ten_seconds_without_postgres_lose_nothing_and_fill_no_log(own_server: PostgresServer, tmp_path: Path) -> None:
    with opened(own_server.url()) as database:
        schema.migrate(database)
        workers = Workers(own_server.url(), tmp_path)
        try:
            workers.start()
            key = put(database, "build", {"step_s": 0.5})
            until(lambda: 1 in workers.steps(), 20)
            own_server.stop()
            time.sleep(10)
            own_server.start()
            back = time.monotonic()
            view = finished(database, key, within_s=30)
            assert time.monotonic() - back < 10
            assert (view.code, row(database, key).attempt, workers.steps()) == (0, 1, list(range(STEPS)))
            assert [line for line in view.lines if "ends" in line] == [f"step {n} ends" for n in range(STEPS)]
            until(lambda: "the queue goes on" in workers.log("one").read_text(), 5)
            log = workers.log("one").read_text()
            assert log.count("the database is away") == 1
            assert len(log.splitlines()) == 2, log
        finally:
            workers.end()


def test_ten_seconds_of_a_locked_sqlite_file_lose_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    file = str(sqlite_database.url.database)
    workers = Workers(f"sqlite:///{file}", tmp_path)
    try:
        workers.start()
        key = put(sqlite_database, "build", {"step_s": 0.3})
        until(lambda: 1 in workers.steps(), 20)
        holder = sqlite3.connect(file, isolation_level=None, timeout=10)
        holder.execute("BEGIN IMMEDIATE")
        time.sleep(10)
        holder.close()
        view = finished(sqlite_database, key, within_s=30)
        assert (view.code, row(sqlite_database, key).attempt, workers.steps()) == (0, 1, list(range(STEPS)))
        assert workers.log("one").read_text() == ""
    finally:
        workers.end()
