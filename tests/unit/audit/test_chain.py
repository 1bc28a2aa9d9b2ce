"""The sealed chain shows every later change, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine, text

from pilothouse.audit.contract import AuditSink, Head
from pilothouse.audit.service import Sealer, chain, record
from pilothouse.audit.service import verify as verify_against
from pilothouse.audit.service.chain import Report
from pilothouse.audit.sinks.memory import MemorySink
from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.base.clock import now
from pilothouse.db import Database, Tx

KEY = b"k" * 32


def seal(database: Database, key: bytes, sink: AuditSink) -> int:
    return Sealer(database, key, {"elsewhere": sink}).run()


def verify(database: Database, key: bytes, sink: AuditSink) -> Report:
    return verify_against(database, key, sink.heads())


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


def add(tx: Tx, number: int) -> None:
    record(tx, SYSTEM, "identity:group:created", ResourceRef("group", number), after={"name": f"group {number}"})


def happen(database: Database, *numbers: int) -> None:
    for number in numbers:
        with database.write() as tx:
            add(tx, number)


def sealed(database: Database, sink: AuditSink, count: int = 5) -> None:
    """A trail of ``count`` events, sealed in one go."""
    happen(database, *range(1, count + 1))
    assert seal(database, KEY, sink) == count


@contextmanager
def thief(database: Database) -> Iterator[Connection]:
    """Somebody who may write anything into the database, but has not the key."""
    engine = create_engine(database.url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            if not database.is_sqlite:
                connection.execute(text("SET session_replication_role = replica"))
            yield connection
    finally:
        engine.dispose()


def problems(database: Database, sink: AuditSink) -> tuple[str, ...]:
    return verify(database, KEY, sink).problems


def test_an_untouched_trail_is_intact(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    happen(database, 6)
    report = verify(database, KEY, sink)
    assert report.is_intact
    assert (report.sealed, report.unsealed) == (5, 1)


def test_an_empty_trail_is_intact_and_leaves_no_head(database: Database, sink: MemorySink) -> None:
    assert seal(database, KEY, sink) == 0
    assert sink.heads() == []
    assert problems(database, sink) == ()


def test_sealing_goes_on_where_it_ended(database: Database, sink: MemorySink) -> None:
    sealed(database, sink, 2)
    assert seal(database, KEY, sink) == 0
    happen(database, 3)
    assert seal(database, KEY, sink) == 1
    assert [head.number for head in sink.heads()] == [2, 3]
    assert problems(database, sink) == ()


CHANGES = {
    "what": "UPDATE audit_event SET name = 'identity:user:created' WHERE id = 3",
    "who": "UPDATE audit_event SET actor_id = 99 WHERE id = 3",
    "how": "UPDATE audit_event SET via = 'key/1' WHERE id = 3",
    "to what": "UPDATE audit_event SET subject_id = 99 WHERE id = 3",
    "values": """UPDATE audit_event SET changes = '{"name": [null, "other"]}' WHERE id = 3""",
    "seal": f"UPDATE audit_seal SET mac = '{'0' * 64}' WHERE number = 3",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_an_edited_event_is_named(database: Database, sink: MemorySink, change: str) -> None:
    sealed(database, sink)
    with thief(database) as connection:
        connection.execute(text(change))
    assert any("Event 3 " in line and "changed" in line for line in problems(database, sink))


def test_a_deleted_event_is_named(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    with thief(database) as connection:
        connection.execute(text("DELETE FROM audit_event WHERE id = 3"))
    assert problems(database, sink) == ("The event of seal 3 (event 3) was removed.",)


def test_an_event_deleted_with_its_seal_leaves_a_gap(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    with thief(database) as connection:
        connection.execute(text("DELETE FROM audit_seal WHERE number = 3"))
        connection.execute(text("DELETE FROM audit_event WHERE id = 3"))
    assert problems(database, sink)[0] == "Seals 3 to 3 are missing: events were removed."


def test_events_that_changed_places_show(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    with thief(database) as connection:
        for change in (
            "UPDATE audit_seal SET event_id = 99 WHERE number = 2",
            "UPDATE audit_seal SET event_id = 2 WHERE number = 3",
            "UPDATE audit_seal SET event_id = 3 WHERE number = 2",
        ):
            connection.execute(text(change))
    found = problems(database, sink)
    assert any("seal 2 was changed" in line for line in found) and any("seal 3 was changed" in line for line in found)


def cut(database: Database, keep: int) -> None:
    with thief(database) as connection:
        connection.execute(text(f"DELETE FROM audit_seal WHERE number > {keep}"))
        connection.execute(text(f"DELETE FROM audit_event WHERE id > {keep}"))


def test_a_cut_tail_shows_against_the_kept_head(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    cut(database, 3)
    assert problems(database, sink) == (
        "The kept head counts 5 seals, the database only 3: the end of the trail was cut off from seal 4 on.",
    )


@pytest.mark.parametrize("grown", [1, 2, 4], ids=["shorter", "as long", "longer"])
def test_a_cut_tail_shows_also_after_the_trail_has_grown_again(
    database: Database, sink: MemorySink, grown: int
) -> None:
    """The honest sealer goes on after a cut: heads of the same number then contradict each other."""
    sealed(database, sink)
    cut(database, 3)
    happen(database, *range(10, 10 + grown))
    seal(database, KEY, sink)
    assert problems(database, sink)


def test_a_chain_written_again_without_the_key_shows(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    with thief(database) as connection:
        connection.execute(text("DELETE FROM audit_event WHERE id = 3"))
        connection.execute(text("DELETE FROM audit_seal"))
    seal(database, b"guessed" * 5, MemorySink())
    found = problems(database, sink)
    assert any("seal 1 was changed" in line for line in found)
    assert any("counts 5 seals, the database only 4" in line for line in found)


def test_a_chain_written_again_with_the_key_shows_against_the_head(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    with thief(database) as connection:
        connection.execute(text("UPDATE audit_event SET actor_id = 99 WHERE id = 3"))
        connection.execute(text("DELETE FROM audit_seal"))
    seal(database, KEY, MemorySink())
    assert problems(database, sink) == (
        "Seal 5 differs from a head kept outside the database: the chain was written again from here or before.",
    )


def test_removing_the_kept_heads_shows(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    assert "No head is kept" in problems(database, MemorySink())[0]


def test_a_forged_head_shows(database: Database, sink: MemorySink) -> None:
    sealed(database, sink)
    sink.append(Head(5, "é" * 64, now()), [])
    assert "Seal 5 differs" in problems(database, sink)[0]


def test_an_event_slipped_in_with_a_number_long_past_is_not_sealed_but_told(
    database: Database, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "REACH", 2)
    sealed(database, sink)
    with thief(database) as connection:
        connection.execute(text("DELETE FROM audit_seal WHERE number = 5"))
        connection.execute(
            text(
                "INSERT INTO audit_event (id, at, name, actor_kind, via, subject_kind, changes) "
                "SELECT -7, at, name, actor_kind, via, subject_kind, changes FROM audit_event WHERE id = 1"
            )
        )
    assert seal(database, KEY, sink) == 1
    assert problems(database, sink) == (
        "Event -7 (identity:group:created) was added behind the chain: its number is long past.",
    )


def test_not_more_than_twenty_problems_are_told(database: Database, sink: MemorySink) -> None:
    sealed(database, sink, 30)
    with thief(database) as connection:
        connection.execute(text("UPDATE audit_event SET actor_id = 99"))
    assert len(problems(database, sink)) == 20


def test_an_event_that_commits_after_a_later_one_was_sealed_is_sealed_next(
    postgres_database: Database, sink: MemorySink
) -> None:
    database = postgres_database
    with database.write() as slow:
        add(slow, 1)
        slow.flush()
        happen(database, 2)
        assert seal(database, KEY, sink) == 1
    assert seal(database, KEY, sink) == 1
    with database.read() as tx:
        order = tx.execute(text("SELECT event_id FROM audit_seal ORDER BY number")).scalars().all()
    assert order == [2, 1]
    assert problems(database, sink) == ()


def test_several_sealers_make_one_chain(database: Database, sink: MemorySink) -> None:
    happen(database, *range(20))
    work: Callable[[int], int] = lambda _: seal(database, KEY, sink)  # noqa: E731
    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(work, range(4))) == 20
    assert verify(database, KEY, sink).sealed == 20
    assert problems(database, sink) == ()


def test_a_long_waiting_trail_is_sealed_in_parts(
    sqlite_database: Database, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "BATCH", 4)
    happen(sqlite_database, *range(10))
    assert [seal(sqlite_database, KEY, sink) for _ in range(4)] == [4, 4, 2, 0]
    assert problems(sqlite_database, sink) == ()
