"""What the gateway's access log told: usage rows, and how far the log was read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, only_where

#: Of a hundred rows one or two are none: what is asked about those alone must not walk through the others. A query that
#: wants the indexes must say it in these words.
NO_HIT = "kind <> 'hit'"
IS_NO_HIT = only_where(NO_HIT)


class UsageEvent(Row):
    """One line of use: ``kind`` is ``visit`` (an authorised page load), ``hit`` (a request) or ``socket`` (open to close).

    ``principal_id`` is a user id and never a name; it is null for anonymous visitors and where the stage's ``usage`` is not
    ``named``. ``pseudonym`` stands for a person where it is ``pseudonymous``, for one stage and one month. ``stream`` is
    Envoy's id of the request: a line read twice makes one row.
    """

    __tablename__ = "usage_event"
    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(8))
    stream: Mapped[str] = mapped_column(String(40), unique=True)
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int]
    stage_id: Mapped[int | None]
    principal_id: Mapped[int | None]
    pseudonym: Mapped[str | None] = mapped_column(String(25))
    job_key: Mapped[str | None] = mapped_column(String(24))
    bundle_id: Mapped[int | None]
    path: Mapped[str] = mapped_column(String(1000), default="")
    status: Mapped[int] = mapped_column(Integer, default=0)
    user_agent: Mapped[str] = mapped_column(String(400), default="")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None]
    __table_args__ = (
        Index("ix_usage_event_subject", "subject_kind", "subject_id", "started_at"),
        Index("ix_usage_event_stage", "stage_id", "started_at"),
        Index(
            "ix_usage_event_kind",  # with what adds up: whose, and by whom
            "stage_id",
            "kind",
            "started_at",
            "subject_kind",
            "subject_id",
            "principal_id",
            "pseudonym",
            **IS_NO_HIT,
        ),
        Index("ix_usage_event_subject_kind", "subject_kind", "subject_id", "kind", "started_at", **IS_NO_HIT),
        {"sqlite_autoincrement": True},
    )


class LogOffset(Row):
    """How many bytes of one log file (named by inode) are in the rows above; committed together with them."""

    __tablename__ = "log_offset"
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = ()
