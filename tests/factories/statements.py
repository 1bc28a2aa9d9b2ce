"""What a database is asked, and how it means to answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import event

from pilothouse.db import Database


class Statement(NamedTuple):
    """As the driver is handed it."""

    text: str
    parameters: Any

    @property
    def reads(self) -> bool:
        return self.text.lstrip().startswith(("SELECT", "WITH"))


@contextmanager
def statements(database: Database) -> Iterator[list[Statement]]:
    """A list that grows by each statement that is sent meanwhile, in whichever thread."""
    sent: list[Statement] = []

    def hear(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        sent.append(Statement(statement, parameters))

    engines = {database.engine, database.read_engine}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)


def plan_of(database: Database, statement: Statement) -> str:
    """In the database's own words, a line for each step."""
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    other = Database(database.url.render_as_string(hide_password=False))  # one that is not listened to
    with other.read() as tx:
        asked = tx.connection().exec_driver_sql(f"{explain} {statement.text}", statement.parameters)
        plan = "\n".join(str(line) for line in asked)
    other.close()
    return plan
