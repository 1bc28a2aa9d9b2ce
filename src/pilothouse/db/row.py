"""What all tables share: the declarative base, ids that are never used twice, and moments that are always UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.types import JSON, TypeDecorator

from pilothouse.base import clock


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC: ``timestamptz`` on PostgreSQL, naive UTC text on SQLite. A naive value is a ``ValueError``."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone never enters the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_BIG = BigInteger().with_variant(Integer, "sqlite")

#: Primary key: an integer that is never used again, also after its row was deleted.
Id = Annotated[int, mapped_column(_BIG, primary_key=True, autoincrement=True)]


class Row(DeclarativeBase):
    """Base of every table. ``topic`` names the change topic that a write to this table touches (see ``changes.py``),
    ``topic_key`` the attribute that says whose row it is; empty = a write may concern everything of the topic.
    """

    topic: ClassVar[str | None] = None
    topic_key: ClassVar[str] = ""
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        int: _BIG,
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }
    __table_args__: Any = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy declares it so


def only_where(condition: str) -> dict[str, Any]:
    """Options of an index that holds only the rows for which ``condition`` is true, in words that both databases know."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def stamped() -> Any:
    """A column that is filled with the moment its row is made."""
    return mapped_column(UtcDateTime(), default=clock.now)


def insert_into(tx: Session, row: type[Row]) -> postgresql.Insert | sqlite.Insert:
    """An ``INSERT`` that can say what to do when the row is there already."""
    return sqlite.insert(row) if tx.get_bind().dialect.name == "sqlite" else postgresql.insert(row)
