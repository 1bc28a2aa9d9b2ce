"""Caches learn of every committed change, and of no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import delete, insert, select, text, update

from pilothouse.db import Database, DatabaseDown, Watch, changes, touch
from pilothouse.identity.models import ApiKey, Group, User
from pilothouse.stages.models import Stage
from pilothouse.tasks import enqueue


def stage(key: str = "dev") -> Stage:
    return Stage(key=key, title="Stage", path="/", position=0)


@pytest.fixture
def watch(database: Database) -> Iterator[Watch]:
    watch = Watch(database)
    yield watch
    watch.close()


def user(number: int) -> User:
    return User(id=number, guid=f"guid-{number}", username=f"person{number}")


def epoch(watch: Watch) -> int:
    return epoch_of(watch, "stages")


def epoch_of(watch: Watch, topic: str) -> int:
    watch.wake()
    return watch.epoch(topic)


def test_a_new_changed_or_deleted_object_is_noticed(database: Database, watch: Watch) -> None:
    seen = [epoch(watch)]
    with database.write() as tx:
        tx.add(row := stage())
    seen.append(epoch(watch))
    with database.write() as tx:
        tx.merge(row).title = "Other"
    seen.append(epoch(watch))
    with database.write() as tx:
        tx.delete(row)
    seen.append(epoch(watch))
    assert seen == [0, 1, 2, 3]


def test_statements_on_a_mapped_class_are_noticed(database: Database, watch: Watch) -> None:
    statements = [
        insert(Stage).values(key="dev", title="Stage", path="/", position=0),
        update(Stage).values(title="Other"),
        delete(Stage),
    ]
    for count, statement in enumerate(statements, 1):
        with database.write() as tx:
            tx.execute(statement)
        assert epoch(watch) == count


def test_a_topic_can_be_touched_by_hand(database: Database, watch: Watch) -> None:
    with database.write() as tx:
        touch(tx, "stages")
        touch(tx, "other")
    assert (epoch(watch), watch.epoch("other")) == (1, 1)


def test_whose_rows_changed_is_known(database: Database, watch: Watch) -> None:
    with database.write() as tx:
        tx.add_all([user(1), user(2)])
    start = watch.epoch("identity")
    assert watch.changed("identity", start) == frozenset()
    with database.write() as tx:
        found = tx.get(User, 2)
        assert found is not None
        found.email = "somebody@example.com"
    watch.wake()
    middle = watch.epoch("identity")
    assert watch.changed("identity", start) == {2}
    with database.write() as tx:
        tx.add(user(3))
        tx.add(ApiKey(user_id=1, name="x", prefix="ph_", digest="d"))
    watch.wake()
    assert watch.epoch("identity") == middle + 1
    assert (watch.changed("identity", middle), watch.changed("identity", start)) == ({1, 3}, {1, 2, 3})


def test_what_concerns_everybody_says_so(database: Database, watch: Watch) -> None:
    with database.write() as tx:
        tx.add(user(1))
    start = watch.epoch("identity")
    for change in (
        lambda tx: tx.add(Group(guid="g", name="chemists")),
        lambda tx: tx.execute(update(User).values(email="x")),
        lambda tx: touch(tx, "identity"),
        lambda tx: tx.add_all([user(n) for n in range(2, changes.KEYS_LIMIT + 10)]),
    ):
        with database.write() as tx:
            change(tx)
        watch.wake()
        now = watch.epoch("identity")
        assert (now, watch.changed("identity", start)) == (start + 1, None)
        start = now


def test_changes_before_a_watch_began_or_long_ago_are_everything(
    database: Database, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "KEPT", 20)
    with database.write() as tx:
        tx.add(user(1))
    start = epoch_of(watch, "identity")
    assert start == 1 and watch.changed("identity", 0) is None
    for n in range(2, 2 + 2 * changes.PRUNE_EVERY):
        with database.write() as tx:
            touch(tx, "identity", n)
    assert epoch_of(watch, "identity") == start + 2 * changes.PRUNE_EVERY
    assert watch.changed("identity", start) is None
    with database.read() as tx:
        assert len(tx.scalars(select(changes.Change.id)).all()) <= 20 + changes.PRUNE_EVERY


def test_a_transaction_counts_once(database: Database, watch: Watch) -> None:
    with database.write() as tx:
        tx.add_all([stage("a"), stage("b")])
        tx.flush()
        tx.add(stage("c"))
    assert epoch(watch) == 1


def test_a_rollback_and_other_tables_are_not_noticed(database: Database, watch: Watch) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        tx.add(stage())
        tx.flush()
        raise RuntimeError
    with database.write() as tx:
        enqueue(tx, "x", {})
    assert epoch(watch) == 0


def test_on_sqlite_a_commit_of_another_process_is_seen_at_once(sqlite_database: Database) -> None:
    watch = Watch(sqlite_database)
    assert watch.epoch("stages") == 0
    other = Database(str(sqlite_database.url))
    with other.write() as tx:
        tx.add(stage())
    assert watch.epoch("stages") == 1
    other.close()
    watch.close()


def test_what_could_not_be_read_again_is_not_taken_for_fresh(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(sqlite_database)
    assert watch.epoch("stages") == 0
    with sqlite_database.write() as tx:
        tx.add(stage())
    with monkeypatch.context() as away:
        away.setattr(sqlite_database, "read", _down)
        assert watch.epoch("stages") == 0, "apps go on for a while"
        away.setattr(changes, "PATIENCE_S", 0.0)
        with pytest.raises(DatabaseDown):
            watch.epoch("stages")
    assert watch.epoch("stages") == 1
    watch.close()


def test_an_unchanged_database_is_not_asked_again(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(sqlite_database)
    watch.epoch("stages")
    monkeypatch.setattr(sqlite_database, "read", _down)
    assert watch.epoch("stages") == 0
    watch.close()


def test_transactions_that_touch_the_same_topics_do_not_deadlock(database: Database, watch: Watch) -> None:
    def work(topics: tuple[str, ...]) -> None:
        for _ in range(10):
            with database.write() as tx:
                for topic in topics:
                    touch(tx, topic)
                tx.execute(text("SELECT 1"))

    threads = [threading.Thread(target=work, args=(t,)) for t in (("a", "b", "stages"), ("stages", "b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert epoch(watch) == 20


def _down() -> None:
    raise DatabaseDown
