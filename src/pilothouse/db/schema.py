"""Is the schema the one this program needs, and if not, make it so. Alembic is imported only when there is work."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from pilothouse.base import clock
from pilothouse.base.errors import Conflict
from pilothouse.db.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x70696C6F74  # advisory lock: two servers never migrate at once


class SchemaOlder(Conflict):
    """The database's schema is older than this program. Run `pilothouse migrate`, then start again."""

    code = "db/schema-older"


class SchemaNewer(Conflict):
    """The database's schema is newer than this program. Install the version of Pilothouse that made it, or a later one."""

    code = "db/schema-newer"


def revisions() -> list[str]:
    """All revisions this program knows, oldest first: the four digits that begin each migration's file name."""
    return sorted(p.name[:4] for p in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def current(database: Database) -> str | None:
    """The revision of the database, ``None`` for an empty one. Raises `DatabaseDown`."""
    with database.read() as tx:
        if not inspect(tx.connection()).has_table("alembic_version"):
            return None
        return tx.execute(text("SELECT version_num FROM alembic_version")).scalar()


def check(database: Database) -> None:
    """Return if the schema fits. Raises `SchemaOlder` or `SchemaNewer`."""
    have, known = current(database), revisions()
    if have is not None and have not in known:
        raise SchemaNewer(
            f"The database's schema ({have}) is newer than this program ({known[-1]}). Install a later version."
        )
    if have != known[-1]:
        raise SchemaOlder


def prepare(database: Database) -> bool:
    """What ``serve`` does: an empty database or an older SQLite file is brought up to date (the file is copied first).

    Returns whether anything was done. PostgreSQL with an older schema raises `SchemaOlder`: several servers may use it,
    so an administrator decides when.
    """
    _make_file(database)
    have = current(database)
    if have == revisions()[-1]:
        return False
    if have is not None and not database.is_sqlite:
        check(database)
    if have in revisions():
        _copy(Path(str(database.url.database)), str(have))
    migrate(database)
    return True


def migrate(database: Database) -> list[str]:
    """Bring the schema to the newest revision; returns the revisions applied. Raises `SchemaNewer`, `DatabaseDown`."""
    _make_file(database)
    have, known = current(database), revisions()
    if have is not None and have not in known:
        check(database)
    todo = [r for r in known if have is None or r > have]
    if not todo:
        return []
    from alembic import command

    with _alone(database) as connection:
        command.upgrade(config(connection), "head")
    return todo


def config(connection: Any) -> Any:
    """Alembic's configuration for one connection; there is no ``alembic.ini``."""
    from alembic.config import Config

    alembic = Config()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    alembic.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    alembic.attributes["connection"] = connection
    return alembic


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """One transaction for all migrations, in which nobody else migrates.

    SQLite changes a table by copying it and dropping the old one, which with foreign keys on would delete the rows that
    point to it: they are off meanwhile, and checked before the commit.
    """
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            with connection.begin():
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
                yield connection
            return
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.execute(text("PRAGMA foreign_key_check")).all():
                    raise RuntimeError(f"the migration would leave rows that point nowhere: {broken[:5]}")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _make_file(database: Database) -> None:
    """SQLite: the file and its folder, readable by their owner only (what SQLite puts beside the file is then, too)."""
    if database.is_sqlite and database.url.database:
        file = Path(database.url.database)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)


def _copy(file: Path, revision: str) -> None:
    """A consistent copy beside ``file``, also while others write."""
    target = file.with_name(f"{file.name}.before-{revision}-{clock.now():%Y%m%dT%H%M%S}")
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
