"""Reading what a task printed: numbers, waiting, and what is kept out."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from tests.factories.tasks import finished, put, running, seen, until

from pilothouse.base.access import ResourceRef
from pilothouse.db import Database, DatabaseDown
from pilothouse.tasks import Retry, Run, follow, output
from pilothouse.tasks.contract import TaskUnknown
from pilothouse.tasks.output import _followers, tell


def test_lines_are_numbered_from_zero_and_last_asks_for_the_next(database: Database) -> None:
    def work(run: Run) -> None:
        run.log("one")
        run.log("two\nthree\n")
        run.log("")

    with running(database, {"x": work}):
        key = put(database, "x", subject=ResourceRef("content", 5))
        assert finished(database, key).lines == ("one", "two", "three", "")
    with database.read() as tx:
        later, beyond = output(tx, key, first=2), output(tx, key, first=9)
    assert (later.lines, later.last) == (("three", ""), 4)
    assert (beyond.lines, beyond.last) == ((), 4)
    assert later.subject == ResourceRef("content", 5)


def test_a_task_that_did_not_begin_has_no_lines_and_no_code(database: Database) -> None:
    view = seen(database, put(database, "x"))
    assert (view.lines, view.last, view.is_finished, view.code, view.error, view.result) == ((), 0, False, 0, "", None)


def test_a_line_is_visible_as_soon_as_it_is_printed(database: Database) -> None:
    go = threading.Event()

    def work(run: Run) -> None:
        run.log("first")
        go.wait(10)

    with running(database, {"x": work}):
        key = put(database, "x")
        until(lambda: seen(database, key).lines == ("first",))
        go.set()
        finished(database, key)


def test_a_second_attempt_continues_the_numbers(database: Database) -> None:
    tries: list[int] = []

    def work(run: Run) -> None:
        tries.append(1)
        run.log(f"try {len(tries)}")
        if len(tries) < 3:
            raise Retry(timedelta(0))

    with running(database, {"x": work}):
        assert finished(database, put(database, "x")).lines == ("try 1", "try 2", "try 3")


def test_threads_of_one_handler_may_print_at_once(database: Database) -> None:
    def work(run: Run) -> None:
        threads = [threading.Thread(target=lambda: [run.log("x") for _ in range(20)]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with running(database, {"x": work}):
        view = finished(database, put(database, "x"), within_s=30)
    assert (view.last, view.code) == (60, 0)


def test_what_could_steer_a_terminal_is_shown_not_sent(database: Database) -> None:
    with running(database, {"x": lambda run: run.log("a\x1b[2Jb\0c\udce4\td\x7f")}):
        assert finished(database, put(database, "x")).lines == ("a\\x1b[2Jb\\x00c?\td\\x7f",)


def test_a_line_without_end_is_cut(sqlite_database: Database) -> None:
    with running(sqlite_database, {"x": lambda run: run.log("x" * 1_000_000)}):
        assert len(finished(sqlite_database, put(sqlite_database, "x")).lines[0]) == 8000


def test_an_unknown_task_is_not_found(database: Database) -> None:
    with database.read() as tx, pytest.raises(TaskUnknown, match="no task abc"):
        output(tx, "abc")
    with pytest.raises(TaskUnknown):
        asyncio.run(follow(database, "abc", first=0, wait_s=1))


def test_without_waiting_the_answer_comes_at_once(database: Database) -> None:
    key = put(database, "x")
    begun = time.monotonic()
    view = asyncio.run(follow(database, key, first=0, wait_s=0))
    assert time.monotonic() - begun < 0.5
    assert (view.lines, view.is_finished) == ((), False)


def test_waiting_ends_with_the_first_new_line(database: Database) -> None:
    go = threading.Event()

    def work(run: Run) -> None:
        run.log("old")
        go.wait(10)
        run.log("new")
        time.sleep(0.5)

    async def ask(key: str) -> tuple[tuple[str, ...], float]:
        await asyncio.to_thread(until, lambda: seen(database, key).last == 1)
        waiting = asyncio.create_task(follow(database, key, first=1, wait_s=10))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        begun = time.monotonic()
        go.set()
        return (await waiting).lines, time.monotonic() - begun

    with running(database, {"x": work}):
        lines, took = asyncio.run(ask(put(database, "x")))
    assert lines == ("new",)
    assert took < 0.4


def test_waiting_ends_with_the_task_and_with_its_time(sqlite_database: Database) -> None:
    begun = time.monotonic()
    asyncio.run(follow(sqlite_database, put(sqlite_database, "x"), first=0, wait_s=0.3))
    assert 0.25 < time.monotonic() - begun < 1
    with running(sqlite_database, {"x": lambda run: time.sleep(0.3)}):
        view = asyncio.run(follow(sqlite_database, put(sqlite_database, "x"), first=0, wait_s=10))
    assert view.is_finished


def test_what_another_process_prints_is_seen_within_a_second(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.tasks.attempt.tell", lambda key: None)  # as if it happened elsewhere
    with running(postgres_database, {"x": lambda run: time.sleep(0.2)}):
        begun = time.monotonic()
        view = asyncio.run(follow(postgres_database, put(postgres_database, "x"), first=0, wait_s=10))
    assert view.is_finished
    assert time.monotonic() - begun < 2.5


def test_news_that_say_nothing_new_make_no_storm(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    key, real, reads = put(sqlite_database, "x"), sqlite_database.read, list[int]()

    def counted() -> object:
        reads.append(1)
        return real()

    async def ask() -> None:
        waiting = asyncio.create_task(follow(sqlite_database, key, first=0, wait_s=0.8))
        await asyncio.sleep(0.2)
        tell(key)
        await waiting

    monkeypatch.setattr(sqlite_database, "read", counted)
    asyncio.run(ask())
    assert len(reads) == 3, "at the begin, for the news, at the end"


def test_many_wait_for_the_same_task_and_nothing_is_left_behind(sqlite_database: Database) -> None:
    async def ask(key: str) -> list[bool]:
        views = await asyncio.gather(*(follow(sqlite_database, key, first=0, wait_s=10) for _ in range(20)))
        return [view.is_finished for view in views]

    with running(sqlite_database, {"x": lambda run: time.sleep(0.3)}):
        assert all(asyncio.run(ask(put(sqlite_database, "x"))))
    assert _followers == {}


def test_an_outage_is_waited_for_as_long_as_the_question_may_take(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, real, asked = put(sqlite_database, "x"), sqlite_database.read, list[float]()

    def flaky() -> object:
        asked.append(time.monotonic())
        if len(asked) == 1:
            raise DatabaseDown
        return real()

    monkeypatch.setattr(sqlite_database, "read", flaky)
    assert asyncio.run(follow(sqlite_database, key, first=0, wait_s=1.5)).key == key
    asked.clear()
    with pytest.raises(DatabaseDown):
        asyncio.run(follow(sqlite_database, key, first=0, wait_s=0))
