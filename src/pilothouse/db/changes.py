"""How caches learn that rows changed: one counter per topic, raised in the transaction that changes them.

A table names its topic (`Row.topic`); the session notices which topics a transaction wrote to, by objects or by
statements on a mapped class, and raises their counters just before it commits.
Readers keep what they cached for as long as `Watch.epoch` of its topic stays the same.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, String, select, text
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column

from pilothouse.base.errors import Unavailable
from pilothouse.db.row import Row

if TYPE_CHECKING:
    from pilothouse.db.engine import Database

_TOUCHED = "touched_topics"
POLL_S = 1.0
CHANNEL = "pilothouse_epoch"


class Epoch(Row):
    """How often the rows of one topic changed."""

    __tablename__ = "epoch"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(Integer, default=0)
    __table_args__ = ()


def touch(tx: Session, *topics: str) -> None:
    """Mark ``topics`` as changed by this transaction. Only needed for changes made past the mapped classes."""
    tx.info.setdefault(_TOUCHED, set()).update(topics)


def note_changes(tx: Session, _context: Any, _instances: Any) -> None:
    """Session hook: remember the topics of all objects about to be written."""
    changed = (row for row in tx.dirty if tx.is_modified(row))  # "dirty" holds also what was set to what it was
    for row in (*tx.new, *changed, *tx.deleted):
        if (topic := getattr(type(row), "topic", None)) is not None:
            touch(tx, topic)


def note_statement(state: ORMExecuteState) -> None:
    """Session hook: remember the topic of an ``update``, ``delete`` or ``insert`` on a mapped class."""
    writes = state.is_update or state.is_delete or state.is_insert
    mapper = state.bind_mapper if writes else None
    if mapper is not None and (topic := getattr(mapper.class_, "topic", None)) is not None:
        touch(state.session, topic)


def publish_changes(tx: Session) -> None:
    """Session hook: raise the counters, in one order for all (no deadlocks), as the transaction's last statements."""
    tx.flush()
    topics = sorted(tx.info.pop(_TOUCHED, ()))
    for topic in topics:
        tx.execute(
            text(
                "INSERT INTO epoch (name, count) VALUES (:name, 1) "
                "ON CONFLICT (name) DO UPDATE SET count = epoch.count + 1"
            ),
            {"name": topic},
        )
    if topics and tx.get_bind().dialect.name == "postgresql":
        tx.execute(text(f"SELECT pg_notify('{CHANNEL}', '')"))


#: A change may go unseen for so long while the database is away: less than a grant lives.
PATIENCE_S = 60.0


class Watch:
    """The counters as a reader sees them: ``epoch(topic)`` costs microseconds and is never older than the bounds below.

    SQLite: exact (``PRAGMA data_version`` on a connection of its own tells whether anybody committed). PostgreSQL: at
    most one second old, less with a `Listener` that calls `wake` when `CHANNEL` is notified.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection = database.read_engine.raw_connection() if database.is_sqlite else None
        self._seen: int | None = None
        self._due = 0.0  # of the monotonic clock, as is the next
        self._read_at = -math.inf
        self._epochs: dict[str, int] = {}

    def epoch(self, topic: str) -> int:
        """While the database is away the last counters stand for `PATIENCE_S`, so that apps go on; then `DatabaseDown` is raised."""
        with self._lock:
            version, moment = self._version(), time.monotonic()
            if version != self._seen or moment >= self._due:
                try:
                    self._read(version, moment)
                except Unavailable:
                    if moment >= self._read_at + PATIENCE_S:
                        raise
                    self._due = moment + POLL_S
            return self._epochs.get(topic, 0)

    def _read(self, version: int, moment: float) -> None:
        with self._database.read() as tx:
            self._epochs = {name: count for name, count in tx.execute(select(Epoch.name, Epoch.count))}
        self._seen, self._read_at = version, moment
        self._due = math.inf if self._database.is_sqlite else moment + POLL_S

    def wake(self) -> None:
        """Read the counters again at the next question."""
        self._due = 0.0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _version(self) -> int:
        """A number that any commit by another connection changes; 0 on PostgreSQL, which has none."""
        if self._connection is None:
            return 0
        return int(self._connection.cursor().execute("PRAGMA data_version").fetchone()[0])
