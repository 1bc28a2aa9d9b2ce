"""What was read is read again when something it was made of changed, and not before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pilothouse.db import Database, DatabaseDown, Memory, Watch, touch
from pilothouse.testing.clock import FrozenClock


class Shelf:
    """Answers ``key: how often it was read``; "nothing" has no source. ``is_away`` = reading fails."""

    def __init__(self) -> None:
        self.reads: dict[int, int] = {}
        self.is_away = False

    def read(self, key: int) -> tuple[int, int]:
        if self.is_away:
            raise DatabaseDown
        self.reads[key] = self.reads.get(key, 0) + 1
        return key, self.reads[key]


@pytest.fixture
def watch(database: Database) -> Iterator[Watch]:
    watch = Watch(database)
    yield watch
    watch.close()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def memory(watch: Watch, shelf: Shelf) -> Memory[tuple[int, int]]:
    """Item n is made of row n of "content" and, if odd, of row 1 of "identity"; item 0 is nothing."""
    return Memory(
        watch,
        ("content", "identity"),
        shelf.read,
        sources=lambda a: () if a[0] == 0 else (("content", a[0]), *((("identity", 1),) if a[0] % 2 else ())),
        names=lambda a: (f"name {a[0]}",),
        fresh_s=60,
    )


def change(database: Database, watch: Watch, topic: str, key: int | None = None) -> None:
    with database.write() as tx:
        touch(tx, topic, key)
    watch.wake()


def test_only_what_changed_is_read_again(
    database: Database, watch: Watch, memory: Memory[tuple[int, int]], shelf: Shelf
) -> None:
    def look() -> list[int]:
        return [memory.get(n)[1] for n in range(5)]

    assert look() == look() == [1, 1, 1, 1, 1]
    change(database, watch, "content", 2)
    assert look() == [2, 1, 2, 1, 1], "and what was nothing, which may be something now"
    change(database, watch, "identity", 1)
    assert look() == [3, 2, 2, 2, 1]
    change(database, watch, "identity", 9)
    assert look() == [4, 2, 2, 2, 1]
    change(database, watch, "other", 2)
    assert look() == [4, 2, 2, 2, 1]
    change(database, watch, "content")
    assert look() == [5, 3, 3, 3, 2]


def test_a_change_counts_for_every_name_of_an_answer(
    database: Database, watch: Watch, memory: Memory[tuple[int, int]]
) -> None:
    assert memory.get(3) == memory.get("name 3") == (3, 1)
    change(database, watch, "content", 3)
    assert memory.get(3) == memory.get("name 3") == (3, 2)


def test_many_changes_between_two_looks_are_all_seen(
    database: Database, watch: Watch, memory: Memory[tuple[int, int]]
) -> None:
    memory.get(2), memory.get(4), memory.get(6)
    for number in (2, 6, 2):
        change(database, watch, "content", number)
    assert (memory.get(2), memory.get(4), memory.get(6)) == ((2, 2), (4, 1), (6, 2))


def test_the_answer_from_before_stands_while_the_database_is_away(
    database: Database, watch: Watch, memory: Memory[tuple[int, int]], shelf: Shelf
) -> None:
    memory.get(2)
    change(database, watch, "content", 2)
    shelf.is_away = True
    assert memory.get(2) == (2, 1)
    with pytest.raises(DatabaseDown):
        memory.get(4)
    shelf.is_away = False
    assert memory.get(2) == (2, 2)


def test_an_answer_gets_old(frozen_clock: FrozenClock, memory: Memory[tuple[int, int]], shelf: Shelf) -> None:
    assert memory.get(2) == memory.get(2) == (2, 1)
    frozen_clock.advance(seconds=61)
    assert memory.get(2) == (2, 2)


def test_it_holds_so_many_and_no_more(memory: Memory[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.db.memory.LIMIT", 10)
    for number in range(100):
        memory.get(number)
    assert len(memory) <= 12


def test_it_reads_from_what_is_given_and_keeps_only_the_key(memory: Memory[tuple[int, int]]) -> None:
    assert memory.get("digest of 8", given=8) == (8, 1)
    assert memory.get("digest of 8", given=8) == (8, 1)
