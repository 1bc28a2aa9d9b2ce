"""Rows on their way into either database, past the ORM: a million must take seconds."""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from pilothouse.db import Row


@dataclass(frozen=True)
class Table:
    """Rows of one table, with the columns they name; those they leave out get the model's own defaults."""

    row: type[Row]
    columns: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]

    @property
    def name(self) -> str:
        return str(self.row.__tablename__)

    def defaults(self, today: datetime) -> dict[str, Any]:
        """Of columns that must not be null: their constant, and ``today`` where the model stamps the moment."""
        found = {}
        for column in self.row.__table__.columns:
            if column.name not in self.columns and not column.nullable and column.default is not None:
                found[column.name] = column.default.arg if column.default.is_scalar else today
        return found


def guids(seed: int) -> Iterator[str]:
    """The same ones each time."""
    chance = random.Random(f"guid {seed}")
    while True:
        yield str(uuid.UUID(int=chance.getrandbits(128), version=4))


def load_sqlite(connection: sqlite3.Connection, table: Table, today: datetime) -> None:
    """Indexes are made anew afterwards: that is quicker than keeping them up."""
    rest = table.defaults(today)
    columns, added = (*table.columns, *rest), tuple(_plain(value) for value in rest.values())
    known = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", [table.name]
    ).fetchall()
    for name, _ in known:
        connection.execute(f'DROP INDEX "{name}"')
    marks = ", ".join("?" * len(columns))
    insert = f'INSERT INTO "{table.name}" ({_quoted(columns)}) VALUES ({marks})'
    connection.executemany(insert, ([*map(_plain, row), *added] for row in table.rows))
    for _, statement in known:
        connection.execute(statement)


def load_postgres(connection: psycopg.Connection[Any], table: Table, today: datetime) -> None:
    rest = table.defaults(today)
    columns, added = (*table.columns, *rest), tuple(rest.values())
    known = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN"
        " (SELECT conname FROM pg_constraint)",
        [table.name],
    ).fetchall()
    for name, _ in known:
        connection.execute(f'DROP INDEX "{name}"'.encode())
    statement = f'COPY "{table.name}" ({_quoted(columns)}) FROM STDIN'.encode()
    with connection.cursor().copy(statement) as copy:
        for row in table.rows:
            copy.write_row([json.dumps(v) if type(v) is dict else v for v in (*row, *added)])
    for _, definition in known:
        connection.execute(definition.encode())
    if "id" in columns and table.row.__table__.c.id.type.python_type is int:
        last = (
            f"SELECT setval(pg_get_serial_sequence('\"{table.name}\"', 'id'), (SELECT max(id) FROM \"{table.name}\"))"
        )
        connection.execute(last.encode())


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _plain(value: Any) -> Any:
    """As SQLAlchemy writes it into SQLite."""
    kind = type(value)
    if kind is datetime:
        return value.isoformat(" ", "microseconds")[:26]
    return json.dumps(value) if kind is dict else value
