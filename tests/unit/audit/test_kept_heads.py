"""Only the database, the key and a copy of the heads that was kept elsewhere: each manipulation shows, on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from pilothouse.audit.service import Sealer, record
from pilothouse.audit.service import verify as verify_against
from pilothouse.audit.service.chain import Report
from pilothouse.audit.sinks.file import FileSink
from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.db import Database

KEY = b"k" * 32
COPY = (
    "INSERT INTO audit_event (id, at, name, actor_kind, via, subject_kind, changes) "
    "SELECT 99, at, name, actor_kind, via, subject_kind, changes FROM audit_event WHERE id = 1"
)


def seal(database: Database, key: bytes, sink: FileSink) -> int:
    return Sealer(database, key, {"own": sink}).run()


def verify(database: Database, key: bytes, sink: FileSink) -> Report:
    return verify_against(database, key, sink.heads())


def happen(database: Database, number: int) -> None:
    with database.write() as tx:
        record(tx, SYSTEM, "identity:group:created", ResourceRef("group", number), after={"name": f"group {number}"})


def edited(thief: Connection) -> None:
    thief.execute(text("UPDATE audit_event SET actor_id = 99 WHERE id = 3"))


def missing(thief: Connection) -> None:
    thief.execute(text("DELETE FROM audit_event WHERE id = 3"))


def missing_with_its_seal(thief: Connection) -> None:
    thief.execute(text("DELETE FROM audit_seal WHERE number = 3"))
    thief.execute(text("DELETE FROM audit_event WHERE id = 3"))


def inserted(thief: Connection) -> None:
    thief.execute(text(COPY))
    thief.execute(text("UPDATE audit_seal SET number = number + 100 WHERE number >= 3"))
    thief.execute(text("UPDATE audit_seal SET number = number - 99 WHERE number >= 103"))
    thief.execute(text(f"INSERT INTO audit_seal (number, event_id, mac) VALUES (3, 99, '{'0' * 64}')"))


def cut(thief: Connection) -> None:
    thief.execute(text("DELETE FROM audit_seal WHERE number >= 3"))
    thief.execute(text("DELETE FROM audit_event WHERE id >= 3"))


@pytest.mark.parametrize(
    ("manipulation", "words"),
    [
        (edited, "Event 3 (identity:group:created"),
        (missing, "The event of seal 3 (event 3) was removed."),
        (missing_with_its_seal, "Seals 3 to 3 are missing"),
        (inserted, "Event 99 (identity:group:created"),
        (cut, "from seal 3 on"),
    ],
)
def test_the_first_bad_event_is_named_though_the_own_heads_were_replaced(
    database: Database, tmp_path: Path, manipulation: Callable[[Connection], None], words: str
) -> None:
    """After the copy was taken, somebody who is not the key's owner rewrites the database and empties the own file."""
    own, elsewhere = tmp_path / "own.log", tmp_path / "elsewhere.log"
    for number in range(1, 6):
        happen(database, number)
        seal(database, KEY, FileSink(own))
    shutil.copy(own, elsewhere)
    assert verify(database, KEY, FileSink(elsewhere)).is_intact
    engine = create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as thief:
        if not database.is_sqlite:
            thief.execute(text("SET session_replication_role = replica"))
        manipulation(thief)
    engine.dispose()
    own.unlink()
    assert words in verify(database, KEY, FileSink(elsewhere)).problems[0]


def test_a_trail_that_was_cut_and_sealed_anew_by_the_server_itself_shows(database: Database, tmp_path: Path) -> None:
    own, elsewhere = tmp_path / "own.log", tmp_path / "elsewhere.log"
    for number in range(1, 6):
        happen(database, number)
        seal(database, KEY, FileSink(own))
    shutil.copy(own, elsewhere)
    engine = create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as thief:
        if not database.is_sqlite:
            thief.execute(text("SET session_replication_role = replica"))
        cut(thief)
    engine.dispose()
    own.unlink()
    for number in range(10, 15):
        happen(database, number)
        seal(database, KEY, FileSink(own))
    assert verify(database, KEY, FileSink(own)).is_intact
    assert verify(database, KEY, FileSink(elsewhere)).problems[0].startswith("Seal 3 differs from a head")


def test_heads_that_are_older_than_the_trail_are_good_for_what_they_cover(database: Database, tmp_path: Path) -> None:
    own, elsewhere = tmp_path / "own.log", tmp_path / "elsewhere.log"
    happen(database, 1)
    seal(database, KEY, FileSink(own))
    shutil.copy(own, elsewhere)
    happen(database, 2)
    seal(database, KEY, FileSink(own))
    assert verify(database, KEY, FileSink(elsewhere)).is_intact
