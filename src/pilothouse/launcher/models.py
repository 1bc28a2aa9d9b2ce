"""Job rows: what the control plane remembers of each job, whoever asked for it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, stamped


class Job(Row):
    """One job of a launcher. ``key`` is the `JobSpec` id; ``tag`` the wire's word for what it does (``run_fastapi_app``).

    ``state`` is a ``JobState``; ``address`` is where it listens. Owner of the job is ``subject_kind``/``subject_id``.
    """

    __tablename__ = "job"
    topic: ClassVar[str] = "jobs"
    topic_key: ClassVar[str] = "id"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(24), unique=True)
    tag: Mapped[str] = mapped_column(String(40))
    stage_id: Mapped[int | None]
    subject_kind: Mapped[str] = mapped_column(String(20), default="")
    subject_id: Mapped[int | None]
    bundle_id: Mapped[int | None]
    cluster: Mapped[str] = mapped_column(String(40), default="Local")
    node: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str | None] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(12), default="queued")
    load_group: Mapped[str] = mapped_column(String(40), default="medium")
    run_as: Mapped[str] = mapped_column(String(80), default="")
    pid: Mapped[int | None]
    exit_code: Mapped[int | None] = mapped_column(Integer)
    out_of_memory: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[str] = mapped_column(Text, default="")
    queued_at: Mapped[datetime] = stamped()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_job_subject", "subject_kind", "subject_id"),
        Index("ix_job_state", "state"),
        Index("ix_job_ended", "ended_at", "id"),
        {"sqlite_autoincrement": True},
    )
