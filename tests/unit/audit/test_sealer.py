"""The sealer tells each sink what it lacks: after a failure, after a restart, and several servers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import text

from pilothouse.audit.contract import Head, Sealed
from pilothouse.audit.service import Sealer, behind, record, sealer, verify
from pilothouse.audit.sinks.memory import MemorySink
from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.db import Database

KEY = b"k" * 32


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock of the sealer that stands still; its one entry may be changed."""
    at = [1000.0]
    monkeypatch.setattr(sealer.time, "monotonic", lambda: at[0])
    yield at


def happen(database: Database, count: int = 1) -> None:
    for number in range(count):
        with database.write() as tx:
            record(tx, SYSTEM, "identity:group:created", ResourceRef("group", number), after={"name": "some"})


def numbers(sink: MemorySink) -> tuple[list[int], list[int]]:
    """Of the heads, and of the events."""
    return [head.number for head in sink.heads()], [event.number for event in sink.events]


def test_every_event_and_the_head_reach_every_sink(database: Database) -> None:
    one, two = MemorySink(), MemorySink()
    work = Sealer(database, KEY, {"one": one, "two": two})
    happen(database, 2)
    assert work.run() == 2
    happen(database)
    assert (work.run(), work.run()) == (1, 0)
    assert numbers(one) == numbers(two) == ([2, 3], [1, 2, 3])
    facts = one.events[0].facts
    assert (facts["seal"], facts["name"], facts["changes"]) == (1, "identity:group:created", {"name": [None, "some"]})


def test_a_head_that_could_not_be_kept_comes_by_itself_though_nothing_else_happens(
    database: Database, seconds: list[float]
) -> None:
    sink = MemorySink()
    work = Sealer(database, KEY, {"one": sink})
    sink.is_away = True
    happen(database)
    assert work.run() == 1
    sink.is_away = False
    assert (work.run(), numbers(sink)) == (0, ([], []))
    seconds[0] += 1.1
    assert (work.run(), numbers(sink)) == (0, ([1], [1]))
    assert verify(database, KEY, work.heads()).is_intact


def test_a_sink_that_stays_away_is_tried_ever_more_seldom_and_keeps_nobody_waiting(
    sqlite_database: Database, seconds: list[float]
) -> None:
    class Counting(MemorySink):
        tries = 0

        def append(self, head: Head, events: Sequence[Sealed] = ()) -> None:
            self.tries += 1
            raise OSError("the disk is full")

    broken, other = Counting(), MemorySink()
    work = Sealer(sqlite_database, KEY, {"broken": broken, "other": other})
    for _ in range(600):
        happen(sqlite_database)
        work.run()
        seconds[0] += 1
    assert 6 + 8 <= broken.tries <= 6 + 10
    assert len(other.events) == 600


def test_a_sink_with_a_mistake_stops_neither_the_sealer_nor_other_sinks(
    sqlite_database: Database, seconds: list[float]
) -> None:
    class Mistaken(MemorySink):
        def append(self, head: Head, events: Sequence[Sealed] = ()) -> None:
            raise UnicodeError("label empty or too long")

    other = MemorySink()
    work = Sealer(sqlite_database, KEY, {"mistaken": Mistaken(), "other": other})
    happen(sqlite_database)
    assert (work.run(), numbers(other)) == (1, ([1], [1]))


def test_a_sink_that_hangs_keeps_neither_the_seals_nor_other_sinks_waiting(database: Database) -> None:
    class Hanging(MemorySink):
        def __init__(self) -> None:
            super().__init__()
            self.began, self.goes_on = Event(), Event()

        def append(self, head: Head, events: Sequence[Sealed] = ()) -> None:
            self.began.set()
            self.goes_on.wait(60)
            super().append(head, events)

    hanging, other = Hanging(), MemorySink()
    work = Sealer(database, KEY, {"hanging": hanging, "other": other})
    happen(database)
    work.seal()
    with ThreadPoolExecutor(1) as thread:
        telling = thread.submit(work.tell, "hanging")
        assert hanging.began.wait(60)
        happen(database)
        assert work.seal() == 1
        work.tell("other")
        assert numbers(other) == ([2], [1, 2]) and numbers(hanging) == ([], [])
        hanging.goes_on.set()
        telling.result(60)
    work.tell("hanging")
    assert numbers(hanging) == ([1, 2], [1, 2])


def test_a_restart_loses_nothing_and_repeats_nothing(database: Database, seconds: list[float]) -> None:
    sink = MemorySink()
    happen(database)
    Sealer(database, KEY, {"one": sink}).run()
    sink.is_away = True
    happen(database, 2)
    Sealer(database, KEY, {"one": sink}).run()
    sink.is_away = False
    Sealer(database, KEY, {"one": sink}).run()
    assert numbers(sink) == ([1, 3], [1, 2, 3])


def test_a_new_sink_gets_the_whole_trail_in_parts(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "BATCH", 4)
    happen(sqlite_database, 10)
    Sealer(sqlite_database, KEY, {}).run()
    sink = MemorySink()
    Sealer(sqlite_database, KEY, {"new": sink}).run()
    assert numbers(sink) == ([4, 8, 10], list(range(1, 11)))


def test_several_servers_tell_a_sink_once_unless_one_of_them_dies_between(database: Database) -> None:
    sink = MemorySink()
    happen(database, 20)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: Sealer(database, KEY, {"one": sink}).run(), range(4)))
    Sealer(database, KEY, {"one": sink}).run()
    heads, events = numbers(sink)
    assert heads[-1] == 20 and sorted(set(events)) == list(range(1, 21))
    if not database.is_sqlite:
        assert len(events) == 20


def test_it_is_known_how_far_behind_a_sink_is(database: Database) -> None:
    sink = MemorySink()
    sink.is_away = True
    happen(database, 3)
    Sealer(database, KEY, {"good": MemorySink(), "away": sink}).run()
    with database.read() as tx:
        assert behind(tx, ["good", "away", "never"]) == {"good": 0, "away": 3, "never": 3}


def test_a_mark_that_somebody_moved_forward_hides_nothing_for_longer_than_the_next_event(database: Database) -> None:
    sink = MemorySink()
    happen(database, 2)
    work = Sealer(database, KEY, {"one": sink})
    work.run()
    with database.write() as tx:
        tx.execute(text("UPDATE audit_told SET number = 1000"))
    happen(database)
    work.run()
    assert numbers(sink)[0][-1] == 3


def test_what_can_not_be_read_back_is_compared_with_nothing(database: Database) -> None:
    class Far(MemorySink):
        def heads(self) -> list[Head] | None:  # type: ignore[override]
            return None

    happen(database)
    work = Sealer(database, KEY, {"far": Far()})
    work.run()
    assert work.heads() is None
    assert verify(database, KEY, None).is_intact
    near = Sealer(database, KEY, {"far": Far(), "near": MemorySink()})
    assert near.heads() == []
    near.run()
    assert [head.number for head in near.heads() or ()] == [1]
