"""The append-only audit trail: events as verbs wrote them, and the seals that chain them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, stamped


class Event(Row):
    """One thing that happened. Holds ids, never names; rows are never updated."""

    __tablename__ = "audit_event"
    id: Mapped[Id]
    at: Mapped[datetime] = stamped()
    name: Mapped[str] = mapped_column(String(80))
    actor_id: Mapped[int | None]
    actor_kind: Mapped[str] = mapped_column(String(20))
    via: Mapped[str] = mapped_column(String(40), default="")
    subject_kind: Mapped[str] = mapped_column(String(20), default="")
    subject_id: Mapped[int | None]
    stage_id: Mapped[int | None]
    changes: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("ix_audit_event_subject", "subject_kind", "subject_id"),
        Index("ix_audit_event_actor_id", "actor_id"),
        {"sqlite_autoincrement": True},
    )


class Seal(Row):
    """The place of one event in the chain: its MAC covers the event and the seal before it (SECURITY 21)."""

    __tablename__ = "audit_seal"
    number: Mapped[Id]
    event_id: Mapped[int] = mapped_column(ForeignKey("audit_event.id"), unique=True)
    mac: Mapped[str] = mapped_column(String(64))
    __table_args__ = ()


class Told(Row):
    """How much of the chain a sink has: all seals up to ``number``. A wrong number here makes a sink hear twice, or late."""

    __tablename__ = "audit_told"
    sink: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = ()
