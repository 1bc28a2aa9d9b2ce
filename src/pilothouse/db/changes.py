"""How caches learn that rows changed: a counter for each topic, raised in the transaction that changes them, and what changed.

A table names its topic (`Row.topic`) and the column that says whose row it is (`Row.topic_key`: a content's access line
belongs to the content). The session notices what a transaction wrote, by objects or by statements on a mapped class, and
just before it commits raises the topics' counters and notes the keys under the new count. A statement, and a table
without such a column, change everything of their topic.
Readers keep what they cached for as long as `Watch.epoch` stays the same, and then drop what `Watch.changed` names.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Index, Integer, String, Table, delete, insert, select, text
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column

from pilothouse.base.errors import Unavailable
from pilothouse.db.row import Id, Row

if TYPE_CHECKING:
    from pilothouse.db.engine import Database

_TOUCHED = "touched_topics"
POLL_S = 1.0
CHANNEL = "pilothouse_epoch"
#: So many changes of a topic are remembered; who slept longer takes everything for changed. Pruned once in `PRUNE_EVERY`.
KEPT = 1000
PRUNE_EVERY = 100
#: A transaction that changed more rows than this changed everything.
KEYS_LIMIT = 200


class Epoch(Row):
    """How often the rows of one topic changed."""

    __tablename__ = "epoch"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(Integer, default=0)
    __table_args__ = ()


class Change(Row):
    """What made the counter of the topic ``about`` reach ``count``: one row for each key, or one without a key for everything."""

    __tablename__ = "change"
    id: Mapped[Id]
    about: Mapped[str] = mapped_column(String(40))
    count: Mapped[int] = mapped_column(Integer)
    key: Mapped[int | None]
    __table_args__ = (Index("ix_change_about_count", "about", "count"),)


def touch(tx: Session, topic: str, key: int | None = None) -> None:
    """Mark rows of ``topic`` as changed by this transaction; without a ``key`` all of them. Only needed past the mapped classes."""
    tx.info.setdefault(_TOUCHED, {}).setdefault(topic, set()).add(key)


def note_changes(tx: Session, _context: Any) -> None:
    """Session hook, after a flush (new rows have their numbers): remember whose rows were written."""
    changed = (row for row in tx.dirty if tx.is_modified(row))  # "dirty" holds also what was set to what it was
    for row in (*tx.new, *changed, *tx.deleted):
        kind = type(row)
        if (topic := getattr(kind, "topic", None)) is not None:
            touch(tx, topic, getattr(row, kind.topic_key) if kind.topic_key else None)


def note_statement(state: ORMExecuteState) -> None:
    """Session hook: remember the topic of an ``update``, ``delete`` or ``insert`` on a mapped class."""
    writes = state.is_update or state.is_delete or state.is_insert
    mapper = state.bind_mapper if writes else None
    if mapper is not None and (topic := getattr(mapper.class_, "topic", None)) is not None:
        touch(state.session, topic)


def publish_changes(tx: Session) -> None:
    """Session hook: raise the counters, in one order for all (no deadlocks), as the transaction's last statements.

    The counter's row stays locked until the commit, so the counts of a topic are in the order of the commits.
    """
    tx.flush()
    touched: dict[str, set[int | None]] = tx.info.pop(_TOUCHED, {})
    for topic in sorted(touched):
        raised = text(
            "INSERT INTO epoch (name, count) VALUES (:name, 1) "
            "ON CONFLICT (name) DO UPDATE SET count = epoch.count + 1 RETURNING count"
        )
        _note(tx, topic, int(tx.execute(raised, {"name": topic}).scalar_one()), touched[topic])
    if touched and tx.get_bind().dialect.name == "postgresql":
        tx.execute(text(f"SELECT pg_notify('{CHANNEL}', '')"))


def _note(tx: Session, topic: str, count: int, keys: set[int | None]) -> None:
    table = cast(Table, Change.__table__)
    named: Iterable[int | None] = [None] if None in keys or len(keys) > KEYS_LIMIT else keys
    tx.execute(insert(table), [{"about": topic, "count": count, "key": key} for key in named])
    if count % PRUNE_EVERY == 0:
        tx.execute(delete(table).where(table.c.about == topic, table.c.count <= count - KEPT))


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
        self._changes: dict[str, deque[tuple[int, int | None]]] = {}

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

    def changed(self, topic: str, since: int) -> frozenset[int] | None:
        """The keys that changed while the topic's counter rose from ``since`` to what `epoch` gave; ``None`` = everything."""
        with self._lock:
            rows = [(count, key) for count, key in self._changes.get(topic, ()) if count > since]
            counts = {count for count, _ in rows}
            if len(counts) != self._epochs.get(topic, 0) - since:
                return None  # too long ago, or before this watch began
        keys = frozenset(key for _, key in rows)
        return None if None in keys else cast(frozenset[int], keys)

    def _read(self, version: int, moment: float) -> None:
        with self._database.read() as tx:
            epochs = {name: count for name, count in tx.execute(select(Epoch.name, Epoch.count))}
            if self._read_at > -math.inf:
                self._follow(tx, epochs)
        self._epochs = epochs
        self._seen, self._read_at = version, moment
        self._due = math.inf if self._database.is_sqlite else moment + POLL_S

    def _follow(self, tx: Session, epochs: dict[str, int]) -> None:
        """Remember what changed since the counters were read last."""
        for topic, now in epochs.items():
            last = self._epochs.get(topic, 0)
            if now > last:
                new = select(Change.count, Change.key).where(Change.about == topic, Change.count > last)
                rows = tx.execute(new.where(Change.count <= now).order_by(Change.count).limit(KEPT)).all()
                self._changes.setdefault(topic, deque(maxlen=2 * KEPT)).extend((count, key) for count, key in rows)

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
