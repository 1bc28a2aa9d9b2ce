"""What the queue promises a handler and whoever enqueued: once, in order, within the limits, and nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update
from tests.factories.statements import plan_of, statements
from tests.factories.tasks import finished, put, row, running, seen, until

from pilothouse.base import clock
from pilothouse.base.errors import Invalid
from pilothouse.db import Database, DatabaseDown
from pilothouse.tasks import Queue, Retry, Run, cancel, enqueue
from pilothouse.tasks import queue as queue_module
from pilothouse.tasks.models import Task


class NoSuchRuntime(Invalid):
    """There is no Python 3.2. Choose another one."""

    code = "tests/no-such-runtime"


def test_a_task_runs_and_its_result_is_kept(database: Database) -> None:
    with running(database, {"add": lambda run: {"sum": run.args["a"] + run.args["b"]}}):
        view = finished(database, put(database, "add", {"a": 2, "b": 3}, actor_id=7))
    assert (view.result, view.code, view.error, view.actor_id) == ({"sum": 5}, 0, "", 7)


def test_a_task_starts_within_milliseconds_of_the_commit(database: Database) -> None:
    started: list[float] = []
    with running(database, {"quick": lambda run: started.append(time.monotonic())}):
        finished(database, put(database, "quick"))
        time.sleep(0.1)  # the pump waits now
        begun = time.monotonic()
        finished(database, put(database, "quick"))
    assert started[1] - begun < 0.5


def test_nothing_runs_before_or_without_the_commit(sqlite_database: Database) -> None:
    ran = threading.Event()
    with running(sqlite_database, {"x": lambda run: ran.set()}):
        with pytest.raises(RuntimeError), sqlite_database.write() as tx:
            enqueue(tx, "x", {})
            raise RuntimeError
        assert not ran.wait(0.3)


def test_a_refusal_ends_the_task_with_its_sentence(database: Database) -> None:
    def refuse(run: Run) -> None:
        raise NoSuchRuntime

    with running(database, {"x": refuse}):
        view = finished(database, put(database, "x"))
    assert (view.code, view.error) == (1, "There is no Python 3.2. Choose another one.")


def test_a_mistake_ends_the_task_without_telling_its_details(sqlite_database: Database) -> None:
    def broken(run: Run) -> None:
        raise ValueError("secret inside")

    with running(sqlite_database, {"x": broken}):
        view = finished(sqlite_database, put(sqlite_database, "x"))
    assert view.code == 1
    assert "server made a mistake" in view.error
    assert "secret" not in view.error


def test_a_result_that_is_not_json_is_a_mistake_and_not_an_endless_task(sqlite_database: Database) -> None:
    with running(sqlite_database, {"x": lambda run: {"at": clock.now()}}):
        assert finished(sqlite_database, put(sqlite_database, "x")).code == 1


def test_an_error_that_no_database_can_store_still_ends_the_task(database: Database) -> None:
    def refuse(run: Run) -> None:
        raise Invalid("bad \0 name \udce4 \x1b[31m")

    with running(database, {"x": refuse}):
        view = finished(database, put(database, "x"))
    assert view.error == "bad \\x00 name ? \\x1b[31m"


def test_steps_that_were_recorded_do_not_run_again(database: Database) -> None:
    ran: list[str] = []

    def work(run: Run) -> dict[str, object]:
        first = run.step("first", lambda: ran.append("first") or {"n": (1, 2)})
        if len(ran) == 1:
            ran.append("interrupted")
            raise Retry(timedelta(0))
        second = run.step("second", lambda: ran.append("second"))
        return {"first": first, "second": second}

    with running(database, {"x": work}):
        view = finished(database, put(database, "x"))
    assert ran == ["first", "interrupted", "second"]
    assert view.result == {"first": {"n": [1, 2]}, "second": {}}


def test_the_first_answer_of_a_step_looks_like_the_recorded_one(sqlite_database: Database) -> None:
    answers: list[object] = []

    def work(run: Run) -> None:
        answers.append(run.step("s", lambda: {"pair": (1, 2), 3: "three"}))
        if len(answers) == 1:
            raise Retry(timedelta(0))

    with running(sqlite_database, {"x": work}):
        finished(sqlite_database, put(sqlite_database, "x"))
    assert answers == [{"pair": [1, 2], "3": "three"}] * 2


def test_retry_waits_as_long_as_it_said(sqlite_database: Database) -> None:
    times: list[float] = []

    def work(run: Run) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            raise Retry(timedelta(seconds=1))

    with running(sqlite_database, {"x": work}):
        finished(sqlite_database, put(sqlite_database, "x"))
    assert 0.9 < times[1] - times[0] < 3


def test_a_task_for_later_waits(database: Database) -> None:
    with running(database, {"x": lambda run: None}):
        key = put(database, "x", run_at=clock.now() + timedelta(hours=1))
        finished(database, put(database, "x"))
        assert not seen(database, key).is_finished


def test_the_more_urgent_and_then_the_older_go_first(database: Database) -> None:
    order: list[int] = []
    for n, priority in enumerate((100, 100, 10, 200)):
        put(database, "x", {"n": n}, priority=priority)
    last = put(database, "x", {"n": 9}, priority=300)
    with running(database, {"x": lambda run: order.append(run.args["n"])}, limits={"default": 1}):
        finished(database, last)
    assert order == [2, 0, 1, 3, 9]


def test_a_kind_that_nobody_handles_here_stays_in_the_queue(sqlite_database: Database) -> None:
    stranger = put(sqlite_database, "other")
    with running(sqlite_database, {"x": lambda run: None}):
        finished(sqlite_database, put(sqlite_database, "x"))
    assert row(sqlite_database, stranger).state == "queued"


@pytest.fixture
def gauge() -> Iterator[Gauge]:
    yield Gauge()


class Gauge:
    """Counts how many run at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, run: Run) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self.lock:
            self.now -= 1


def test_a_queue_never_runs_more_than_its_limit(database: Database, gauge: Gauge) -> None:
    keys = [put(database, "x", queue="builds") for _ in range(12)]
    with running(database, {"x": gauge}, limits={"builds": 3}):
        for key in keys:
            finished(database, key)
    assert gauge.most == 3


def test_queues_do_not_wait_for_each_other(sqlite_database: Database) -> None:
    go = threading.Event()
    slow = put(sqlite_database, "slow", queue="builds")
    with running(sqlite_database, {"slow": lambda run: go.wait(10), "x": lambda run: None}, limits={"builds": 1}):
        finished(sqlite_database, put(sqlite_database, "x", queue="starts"))
        assert not seen(sqlite_database, slow).is_finished
        go.set()
        finished(sqlite_database, slow)


def test_two_replicas_together_keep_a_shared_limit(postgres_database: Database, gauge: Gauge) -> None:
    options = {"limits": {"builds": 4}, "shared_limits": {"builds": 2}}
    keys = [put(postgres_database, "x", queue="builds") for _ in range(12)]
    with (
        running(postgres_database, {"x": gauge}, **options),
        running(postgres_database, {"x": gauge}, replica="two", **options),
    ):
        for key in keys:
            finished(postgres_database, key)
    assert gauge.most == 2


def test_two_replicas_never_run_the_same_task(postgres_database: Database) -> None:
    ran: list[int] = []
    keys = [put(postgres_database, "x", {"n": n}) for n in range(30)]
    handlers = {"x": lambda run: ran.append(run.args["n"])}
    with running(postgres_database, handlers), running(postgres_database, handlers, replica="two"):
        for key in keys:
            finished(postgres_database, key)
    assert sorted(ran) == list(range(30))


def test_a_waiting_task_is_cancelled_at_once(database: Database) -> None:
    key = put(database, "x")
    with database.write() as tx:
        cancel(tx, tx.scalars(select(Task)).one())
    view = seen(database, key)
    assert (view.is_finished, view.code, view.error) == (True, 1, "The task was cancelled.")
    with running(database, {"x": lambda run: pytest.fail("it ran")}):
        time.sleep(0.2)
    assert row(database, key).state == "cancelled"


def test_a_running_task_is_cancelled_at_its_next_step(database: Database) -> None:
    def work(run: Run) -> None:
        until(lambda: run.is_cancelled)
        run.step("never", lambda: pytest.fail("it ran"))

    with running(database, {"x": work}):
        key = put(database, "x")
        until(lambda: row(database, key).state == "running")
        begun = time.monotonic()
        with database.write() as tx:
            cancel(tx, tx.scalars(select(Task)).one())
        view = finished(database, key)
    assert time.monotonic() - begun < 2
    assert (view.code, view.error, row(database, key).state) == (1, "The task was cancelled.", "cancelled")


def test_cancelling_a_finished_task_changes_nothing(sqlite_database: Database) -> None:
    with running(sqlite_database, {"x": lambda run: None}):
        key = put(sqlite_database, "x")
        finished(sqlite_database, key)
    with sqlite_database.write() as tx:
        cancel(tx, tx.scalars(select(Task)).one())
    assert row(sqlite_database, key).state == "done"


def test_stopping_sends_tasks_back_with_what_they_did(database: Database) -> None:
    ran: list[str] = []
    stopping = threading.Event()

    def work(run: Run) -> None:
        run.step("first", lambda: ran.append("first"))
        stopping.wait(10)
        time.sleep(0.1)
        run.step("second", lambda: ran.append("second"))

    key = put(database, "x")
    with running(database, {"x": work}):
        until(lambda: ran)
        threading.Timer(0.1, stopping.set).start()
    assert row(database, key).state == "queued"
    assert row(database, key).losses == 0
    with running(database, {"x": work}):
        finished(database, key)
    assert ran == ["first", "second"]


def test_stopping_waits_no_longer_than_its_patience(sqlite_database: Database) -> None:
    go = threading.Event()
    put(sqlite_database, "x")
    queue = Queue(sqlite_database, {"x": lambda run: go.wait(20)}, limits={}, replica="one")
    queue.start()
    until(lambda: queue._running)
    begun = time.monotonic()
    queue.stop(patience_s=0.3)
    assert time.monotonic() - begun < 2
    go.set()
    until(lambda: not queue._running)


def test_what_a_replica_ran_when_it_died_is_taken_up_at_its_next_start(database: Database) -> None:
    key = put(database, "x")
    leave_running(database, replica="one")
    with running(database, {"x": lambda run: None}):
        assert finished(database, key, within_s=3).code == 0
    assert (row(database, key).attempt, row(database, key).losses) == (2, 1)


def test_what_another_replica_runs_is_left_to_it_until_its_lease_ends(postgres_database: Database) -> None:
    key = put(postgres_database, "x")
    leave_running(postgres_database, replica="other", lease=timedelta(seconds=30))
    with running(postgres_database, {"x": lambda run: None}):
        time.sleep(0.5)
        assert not seen(postgres_database, key).is_finished
    leave_running(postgres_database, replica="other", lease=timedelta(seconds=-1))
    with running(postgres_database, {"x": lambda run: None}):
        finished(postgres_database, key, within_s=3)


def test_a_task_that_is_lost_again_and_again_is_given_up(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "LOSSES", 2)
    key = put(sqlite_database, "x")
    for _ in range(2):
        leave_running(sqlite_database, replica="one")
        with running(sqlite_database, {}):
            until(lambda: row(sqlite_database, key).state != "running")
    view = seen(sqlite_database, key)
    assert (view.is_finished, view.code) == (True, 1)
    assert "interrupted too often" in view.error


def test_a_recorded_step_forgives_earlier_losses(sqlite_database: Database) -> None:
    key = put(sqlite_database, "x")
    with sqlite_database.write() as tx:
        tx.execute(update(Task).values(losses=queue_module.LOSSES - 1))

    def work(run: Run) -> None:
        run.step("first", dict)
        run.log(str(row(sqlite_database, key).losses))

    with running(sqlite_database, {"x": work}):
        assert finished(sqlite_database, key).lines == ("0",)


def test_an_attempt_that_was_overtaken_can_write_nothing(database: Database) -> None:
    key = put(database, "x")
    overtaken, verdicts = threading.Event(), list[str]()

    def work(run: Run) -> None:
        overtaken.wait(10)
        for name, write in (("log", lambda: run.log("late")), ("step", lambda: run.step("s", dict))):
            try:
                write()
            except BaseException as error:
                verdicts.append(f"{name} {type(error).__name__}")
        raise Invalid("late too")

    with running(database, {"x": work}) as queue:
        until(lambda: queue._running)
        with database.write() as tx:
            tx.execute(update(Task).values(attempt=Task.attempt + 1, replica="other"))
        overtaken.set()
        until(lambda: not queue._running)
    assert verdicts == ["log Fenced", "step Fenced"]
    view = seen(database, key)
    assert (view.lines, view.is_finished, row(database, key).state) == ((), False, "running")
    with database.read() as tx:
        assert tx.scalar(text("SELECT count(*) FROM task_step")) == 0


def test_a_commit_whose_answer_was_lost_counts_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    real, writes = database.write, list[int]()

    @contextmanager
    def forgetful() -> Iterator[Any]:
        with real() as tx:
            yield tx
        if threading.current_thread().name == "task-x":
            writes.append(1)
            if len(writes) in (1, 3):  # the first of the step, the first of the first line
                raise DatabaseDown

    def work(run: Run) -> dict[str, object]:
        monkeypatch.setattr(database, "write", forgetful)
        step = run.step("first", lambda: {"n": 1})
        run.log("line")
        run.log("next")
        return step

    monkeypatch.setattr("pilothouse.tasks.attempt.AGAIN_S", 0.01)
    with running(database, {"x": work}):
        view = finished(database, put(database, "x"))
    assert (view.code, view.result) == (0, {"n": 1})
    assert view.lines == ("line", "line", "next"), "a line may come twice, but is never lost"
    assert len(writes) == 6


def test_a_handler_that_meets_an_outage_is_tried_again(sqlite_database: Database) -> None:
    tried: list[int] = []

    def work(run: Run) -> None:
        tried.append(1)
        if len(tried) == 1:
            raise DatabaseDown

    with running(sqlite_database, {"x": work}):
        assert finished(sqlite_database, put(sqlite_database, "x")).code == 0
    assert len(tried) == 2


def test_the_pump_survives_any_mistake(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(self: Queue) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(Queue, "_claim", stumble)
    with running(sqlite_database, {"x": lambda run: None}):
        finished(sqlite_database, put(sqlite_database, "x"))


def test_looking_for_work_does_not_read_what_is_finished(database: Database) -> None:
    with database.write() as tx:
        tx.execute(
            text(
                "INSERT INTO task (key, kind, queue, args, state, priority, run_at, attempt, losses, cancel_asked,"
                " subject_kind, code, error, created_at, ended_at) SELECT 'k' || n, 'x', 'default', '{}', 'done', 100,"
                " '2026-01-01 00:00:00', 1, 0, FALSE, '', 0, '', '2026-01-01 00:00:00', '2026-01-01 00:00:00'"
                " FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT n FROM c) s"
            )
        )
        tx.execute(text("ANALYZE"))
    with running(database, {"x": lambda run: None}), statements(database) as sent:
        put(database, "x")
        until(lambda: any("ix_task_ready" in plan_of(database, one) for one in [*sent] if "DISTINCT" in one.text))
        expired = "lease_until <"
        until(lambda: any("ix_task_running" in plan_of(database, one) for one in [*sent] if expired in one.text), 8)


def leave_running(database: Database, *, replica: str, lease: timedelta = timedelta(seconds=15)) -> None:
    """As a process leaves its tasks that was killed."""
    with database.write() as tx:
        for task in tx.scalars(select(Task)):
            task.state, task.replica, task.attempt = "running", replica, task.attempt + 1
            task.lease_until = clock.now() + lease
