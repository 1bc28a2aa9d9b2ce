"""The company's databases: made once, kept outside of the checkout, and copied for each run, so that every run finds the same.

They are made anew when what makes them changes, when the schema does, and each week: their rows are about the last 90 days.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import psycopg

from bench.company import people, size, tables, things, use, words
from bench.company.size import Size
from bench.company.tables import Table, load_postgres, load_sqlite
from pilothouse.base import clock
from pilothouse.db import Database
from pilothouse.db.schema import migrate, revisions
from pilothouse.settings import Settings
from pilothouse.stages import sync
from pilothouse.testing.postgres import PostgresServer

SOURCES = (people, size, tables, things, use, words)


def folder() -> Path:
    """Where they are kept: not in a home, which PostgreSQL's user may not enter."""
    place = Path(f"/var/tmp/pilothouse-bench-{os.getuid()}")
    place.mkdir(mode=0o755, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise RuntimeError(f"{place} is somebody else's. Remove it.")
    made = place / _key()
    for old in place.iterdir():
        if old != made:
            shutil.rmtree(old)
    made.mkdir(mode=0o755, exist_ok=True)
    return made


def sqlite_of(company: Size, copy: Path) -> str:
    """The URL of a copy of the company's file at ``copy``."""
    file = folder() / f"{company.name}.sqlite"
    if not file.exists():
        fresh = file.with_suffix(".part")
        fresh.unlink(missing_ok=True)
        _prepare(Database(f"sqlite:///{fresh}"))
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("BEGIN")
            for table in all_tables(company):
                load_sqlite(connection, table, today())
            connection.execute("COMMIT")
        fresh.rename(file)
    shutil.copyfile(file, copy)
    return f"sqlite:///{copy}"


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A server that holds the companies that were made on it. Raises `PostgresMissing`."""
    server = PostgresServer(folder() / "postgres")
    server.start()
    try:
        yield server
        server.execute("CHECKPOINT")
    finally:
        server.remove()


@contextmanager
def postgres_of(server: PostgresServer, company: Size) -> Iterator[str]:
    """The URL of a copy of the company on ``server``."""
    if not _has(server, company.name):
        server.execute("DROP DATABASE IF EXISTS fresh")
        server.execute("CREATE DATABASE fresh")
        _prepare(Database(server.url("fresh")))
        with psycopg.connect(server.url("fresh")) as connection:
            connection.execute("SET session_replication_role = replica")  # foreign keys hold anyway
            for table in all_tables(company):
                load_postgres(connection, table, today())
        with psycopg.connect(server.url("fresh"), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        server.execute(f"ALTER DATABASE fresh RENAME TO {company.name}")
    server.execute("DROP DATABASE IF EXISTS copied WITH (FORCE)")
    server.execute(f"CREATE DATABASE copied TEMPLATE {company.name} STRATEGY file_copy")
    try:
        yield server.url("copied")
    finally:
        server.execute("DROP DATABASE IF EXISTS copied WITH (FORCE)")


def all_tables(company: Size) -> Iterator[Table]:
    for source in (people, things, use):
        yield from source.tables(company, today())


def today() -> datetime:
    """The last moment that rows are about."""
    return clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


def _prepare(database: Database) -> None:
    migrate(database)
    with database.write() as tx:
        sync(tx, Settings().stages)
    database.close()


def _has(server: PostgresServer, name: str) -> bool:
    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _key() -> str:
    made_by = "".join(Path(str(module.__file__)).read_text() for module in SOURCES)
    year, week, _ = today().isocalendar()
    return hashlib.sha256(f"{made_by} {revisions()[-1]} {year} {week}".encode()).hexdigest()[:16]
