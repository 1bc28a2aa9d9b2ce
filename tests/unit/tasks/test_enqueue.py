"""Putting work into the queue: in the verb's transaction, and once per unique key."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import StatementError
from tests.factories.tasks import put, row

from pilothouse.base.access import ResourceRef
from pilothouse.db import Database
from pilothouse.tasks import enqueue
from pilothouse.tasks.enqueue import wake
from pilothouse.tasks.models import Task


def test_the_row_says_who_asked_for_what(database: Database) -> None:
    key = put(database, "content.deploy", {"bundle": 3}, queue="builds", actor_id=9, subject=ResourceRef("content", 4))
    task = row(database, key)
    assert (task.kind, task.queue, task.args, task.actor_id) == ("content.deploy", "builds", {"bundle": 3}, 9)
    assert (task.subject_kind, task.subject_id, task.state, task.attempt) == ("content", 4, "queued", 0)


def test_keys_are_hard_to_guess_and_never_the_same(sqlite_database: Database) -> None:
    keys = {put(sqlite_database, "x") for _ in range(20)}
    assert len(keys) == 20
    assert all(len(key) == 16 for key in keys)


def test_a_unique_key_makes_one_task_however_many_ask_at_once(database: Database) -> None:
    found: list[str] = []
    with database.write() as tx:
        first = enqueue(tx, "x", {}, unique_key="deploy 12").key
        second = threading.Thread(target=lambda: found.append(put(database, "x", unique_key="deploy 12")))
        second.start()
        second.join(0.3)
        assert second.is_alive(), "it waits to see how the first one ends"
    second.join(10)
    assert found == [first]
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Task)) == 1


def test_a_unique_key_that_was_rolled_back_is_free(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        enqueue(tx, "x", {}, unique_key="deploy 12")
        raise RuntimeError
    put(database, "x", unique_key="deploy 12")


def test_arguments_that_are_not_json_are_refused(sqlite_database: Database) -> None:
    with pytest.raises(StatementError), sqlite_database.write() as tx:
        enqueue(tx, "x", {"what": object()})


def test_the_pump_wakes_after_the_commit_only(sqlite_database: Database) -> None:
    wake.clear()
    with sqlite_database.write() as tx:
        enqueue(tx, "x", {})
        assert not wake.is_set()
    assert wake.is_set()
