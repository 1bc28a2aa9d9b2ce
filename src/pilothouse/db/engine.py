"""Connections and transactions on SQLite (WAL) and PostgreSQL (psycopg 3), both synchronous."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from pilothouse.base.errors import Unavailable
from pilothouse.db.changes import note_changes, note_statement, publish_changes

#: A running transaction. Verbs take it as their first argument and never commit.
Tx = Session

BUSY_TIMEOUT_S = 15
#: Connections beyond the pool, for peaks; they are closed when they come back.
OVERFLOW = 5
log = structlog.get_logger(__name__)


class DatabaseDown(Unavailable):
    """The database does not answer. Nothing was changed; try again in a moment."""

    code = "db/database-down"


class Database:
    """One database. ``write()`` and ``read()`` give transactions; ``url`` may be ``sqlite:///FILE`` or ``postgresql://…``.

    On SQLite a write transaction takes the write lock with its first statement (``BEGIN IMMEDIATE``, waiting up to 15 s)
    and a read transaction never waits. On PostgreSQL both use the same pool and wait as long for a row. Both raise `DatabaseDown` when there is no
    connection, no lock or no space; any other exception rolls back and goes on. A `DatabaseDown` from a commit leaves open
    whether it happened: whoever tries again must be able to meet their own rows.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url: URL = _driver(make_url(url))
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.connections_limit = (pool_size + OVERFLOW) * (2 if self.is_sqlite else 1)
        self.engine = self._engine(pool_size, immediate=True)
        self.read_engine = self._engine(pool_size, immediate=False) if self.is_sqlite else self.engine
        self._write = sessionmaker(self.engine, expire_on_commit=False)
        self._read = sessionmaker(self.read_engine, expire_on_commit=False, autoflush=False)
        event.listen(self._write, "after_flush", note_changes)
        event.listen(self._write, "do_orm_execute", note_statement)
        event.listen(self._write, "before_commit", publish_changes)
        event.listen(self._write, "after_commit", _run_hooks)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that commits at the end of the block, or rolls back if the block raises."""
        with _named_errors(), self._write.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that sees one consistent state and is always rolled back."""
        with _named_errors(), self._read() as tx:
            yield tx

    def is_up(self) -> bool:
        """Whether a trivial query is answered now."""
        try:
            with self.read() as tx:
                tx.execute(text("SELECT 1"))
        except DatabaseDown:
            return False
        return True

    def close(self) -> None:
        """Close all idle connections. The object can be used again afterwards."""
        self.engine.dispose()
        self.read_engine.dispose()

    def _engine(self, pool_size: int, *, immediate: bool) -> Engine:
        shared: dict[str, Any] = {"pool_size": pool_size, "max_overflow": OVERFLOW, "hide_parameters": True}  # for logs
        if not self.is_sqlite:
            engine = create_engine(self.url, pool_pre_ping=True, connect_args={"connect_timeout": 5}, **shared)
            event.listen(engine, "connect", _prepare_postgres)
            return engine
        engine = create_engine(self.url, connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None}, **shared)
        event.listen(engine, "connect", _prepare_sqlite)
        begin = "BEGIN IMMEDIATE" if immediate else "BEGIN"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine


def on_commit(tx: Tx, hook: Callable[[], None]) -> None:
    """Call ``hook`` once after this transaction has committed; never if it rolls back. What a hook raises is logged."""
    tx.info.setdefault("hooks", []).append(hook)


def size_of(tx: Tx) -> int:
    """Bytes that the whole database takes on its server's disk."""
    if tx.get_bind().dialect.name == "sqlite":
        pages, each = (tx.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size"))
        return int(pages * each)
    return int(tx.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _run_hooks(tx: Session) -> None:
    if tx.in_nested_transaction():  # a savepoint was released; the transaction itself may still roll back
        return
    for hook in tx.info.pop("hooks", []):
        try:
            hook()
        except Exception as error:  # the rows are there: the caller must not take this for a failed transaction
            log.error("a hook after a commit broke", exc_info=error)


def _driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgresql", "postgres"} else url


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    _write_ahead(connection)
    for pragma in (
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-16000",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Only the first connection to a new file changes its mode; for those that come meanwhile SQLite does not wait by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _prepare_postgres(connection: Any, _record: Any) -> None:
    connection.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_S}s'")
    connection.commit()


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseDown("All database connections are in use. Try again in a moment.") from error
    except OperationalError as error:
        if isinstance(error.orig, sqlite3.Error) and error.orig.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise  # SQLite's word for a wrong statement, such as a table that isn't there
        raise DatabaseDown from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseDown from error
        raise
