"""Transactions on both databases: what is kept, what is rolled back, and what a failure is called."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from pilothouse.base import clock
from pilothouse.db import Database, DatabaseDown, on_commit
from pilothouse.stages.models import Stage
from pilothouse.tasks.models import Task
from pilothouse.testing.clock import FrozenClock


def stage(key: str = "dev") -> Stage:
    return Stage(key=key, title=key.title(), path="/", position=0)


def keys(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.scalars(select(Stage.key).order_by(Stage.id)))


def test_a_block_that_ends_commits(database: Database) -> None:
    with database.write() as tx:
        tx.add(stage())
    assert keys(database) == ["dev"]


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        tx.add(stage())
        tx.flush()
        raise RuntimeError
    assert keys(database) == []


def test_a_read_never_writes(database: Database) -> None:
    with database.read() as tx:
        tx.add(stage())
        tx.flush()
    assert keys(database) == []


def test_rows_stay_readable_after_their_transaction(database: Database) -> None:
    with database.write() as tx:
        tx.add(made := stage())
    assert (made.key, made.id) == ("dev", 1)


def test_an_id_is_never_used_twice(database: Database) -> None:
    with database.write() as tx:
        tx.add(first := stage())
    with database.write() as tx:
        tx.delete(first)
    with database.write() as tx:
        tx.add(second := stage())
    assert second.id > first.id


def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.execute(text("INSERT INTO task_line (task_id, number, at, text) VALUES (77, 0, '2026-01-01', 'x')"))


def test_moments_come_back_aware_and_in_utc(database: Database, frozen_clock: FrozenClock) -> None:
    with database.write() as tx:
        tx.add(stage())
    with database.read() as tx:
        found = tx.scalars(select(Stage)).one()
    assert found.created_at == clock.now()
    assert found.created_at.utcoffset() is not None


def test_a_moment_without_zone_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(SQLAlchemyError, match="without time zone"), sqlite_database.write() as tx:
        tx.add(Stage(key="x", title="x", path="/", position=0, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_no_json_is_null_in_the_database_too(database: Database) -> None:
    with database.write() as tx:
        tx.add(Task(key="k", kind="x", queue="q", args={}, result=None))
    with database.read() as tx:
        assert tx.scalar(text("SELECT count(*) FROM task WHERE result IS NULL")) == 1


def test_hooks_run_once_after_the_commit(database: Database) -> None:
    seen: list[list[str]] = []
    with database.write() as tx:
        tx.add(stage())
        on_commit(tx, lambda: seen.append(keys(database)))
        assert seen == []
    assert seen == [["dev"]]


def test_hooks_do_not_run_after_a_rollback(database: Database) -> None:
    seen: list[int] = []
    with pytest.raises(RuntimeError), database.write() as tx:
        on_commit(tx, lambda: seen.append(1))
        raise RuntimeError
    assert seen == []


def test_hooks_wait_for_the_transaction_not_for_a_savepoint(database: Database) -> None:
    seen: list[int] = []
    with pytest.raises(RuntimeError), database.write() as tx:
        with tx.begin_nested():
            tx.add(stage())
            on_commit(tx, lambda: seen.append(1))
        raise RuntimeError
    assert seen == []
    with database.write() as tx, tx.begin_nested():
        on_commit(tx, lambda: seen.append(2))
    assert seen == [2]


def test_a_hook_that_breaks_does_not_break_the_others_or_the_caller(sqlite_database: Database) -> None:
    seen: list[int] = []
    with sqlite_database.write() as tx:
        tx.add(stage())
        on_commit(tx, lambda: [][0])
        on_commit(tx, lambda: seen.append(1))
    assert seen == [1]
    assert keys(sqlite_database) == ["dev"]


def test_writers_on_sqlite_wait_for_each_other(sqlite_database: Database) -> None:
    def count_up() -> None:
        for _ in range(20):
            with sqlite_database.write() as tx:
                found = tx.scalars(select(Stage)).one()
                found.position += 1

    with sqlite_database.write() as tx:
        tx.add(stage())
    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sqlite_database.read() as tx:
        assert tx.scalars(select(Stage.position)).one() == 80


def test_a_reader_on_sqlite_does_not_wait_for_a_writer(sqlite_database: Database) -> None:
    with sqlite_database.write() as tx:
        tx.add(stage())
        tx.flush()
        begun = time.monotonic()
        assert keys(sqlite_database) == []
        assert time.monotonic() - begun < 1


def test_a_lock_that_is_never_free_is_an_outage(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.db.engine.BUSY_TIMEOUT_S", 0.2)
    impatient = Database(str(sqlite_database.url))
    holder = sqlite3.connect(str(sqlite_database.url.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DatabaseDown), impatient.write() as tx:
            tx.add(stage())
        assert impatient.is_up(), "reading goes on"
    finally:
        holder.close()
        impatient.close()


def test_a_row_that_is_never_free_is_an_outage_too(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.db.engine.BUSY_TIMEOUT_S", 1)
    impatient = Database(postgres_database.url.render_as_string(hide_password=False))
    with postgres_database.write() as holder:
        holder.add(row := stage())
    with postgres_database.write() as holder:
        holder.get(Stage, row.id, with_for_update=True)
        with pytest.raises(DatabaseDown), impatient.write() as tx:
            tx.get(Stage, row.id, with_for_update=True)
    impatient.close()


def test_an_error_in_the_log_does_not_show_what_was_to_be_stored(sqlite_database: Database) -> None:
    with sqlite_database.write() as tx:
        tx.add(stage())
    with pytest.raises(IntegrityError) as raised, sqlite_database.write() as tx:
        tx.add(Stage(key="dev", title="hunter2", path="/", position=0))
    assert "hunter2" not in str(raised.value)


def test_a_wrong_statement_is_not_an_outage(database: Database) -> None:
    with pytest.raises(SQLAlchemyError), database.read() as tx:
        tx.execute(text("SELECT * FROM nowhere"))


def test_a_database_that_is_not_there_is_down(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/absent/x.sqlite", f"postgresql://nobody@/x?host={tmp_path}"):
        missing = Database(url)
        assert not missing.is_up()
        with pytest.raises(DatabaseDown, match="does not answer"), missing.write() as tx:
            tx.execute(text("SELECT 1"))


def test_a_full_pool_is_an_outage_with_its_own_sentence(sqlite_database: Database) -> None:
    small = Database(str(sqlite_database.url), pool_size=1)
    small.read_engine.pool._timeout = 0.1  # type: ignore[attr-defined]
    held = [small.read_engine.connect() for _ in range(6)]
    try:
        with pytest.raises(DatabaseDown, match="in use"), small.read() as tx:
            tx.execute(text("SELECT 1"))
    finally:
        for connection in held:
            connection.close()
        small.close()


def test_an_error_never_shows_the_password() -> None:
    missing = Database("postgresql://pilot:hunter2@127.0.0.1:1/x")
    with pytest.raises(DatabaseDown) as raised, missing.read() as tx:
        tx.execute(text("SELECT 1"))
    assert "hunter2" not in f"{raised.value} {raised.value.__cause__} {missing.url!r}"
