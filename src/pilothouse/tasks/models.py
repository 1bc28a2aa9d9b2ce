"""The tables of the durable queue: tasks, the results of their steps, the lines they printed, and what recurs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, only_where, stamped


class TaskState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Task(Row):
    """One piece of queued work. ``attempt`` is the fencing token: only the holder of the latest attempt may write.
    ``losses`` counts the attempts that died since the last recorded step.

    ``key`` is the public id (the wire's task id); ``unique_key`` makes enqueuing idempotent; ``actor_id`` is who asked
    for it, ``subject`` what it works on. ``code`` and ``error`` follow connect-wire-api §3.3.
    """

    __tablename__ = "task"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(24), unique=True)
    kind: Mapped[str] = mapped_column(String(60))
    queue: Mapped[str] = mapped_column(String(40))
    args: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default=TaskState.QUEUED.value)
    priority: Mapped[int] = mapped_column(Integer, default=100)
    run_at: Mapped[datetime] = stamped()
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    losses: Mapped[int] = mapped_column(Integer, default=0)
    replica: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None]
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    unique_key: Mapped[str | None] = mapped_column(String(120), unique=True)
    actor_id: Mapped[int | None]
    subject_kind: Mapped[str] = mapped_column(String(20), default="")
    subject_id: Mapped[int | None]
    result: Mapped[dict[str, Any] | None]
    code: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = stamped()
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_task_ready",
            "queue",
            "priority",
            "run_at",
            **only_where("state = 'queued'"),
        ),
        Index(
            "ix_task_running",
            "lease_until",
            **only_where("state = 'running'"),
        ),
        Index("ix_task_subject", "subject_kind", "subject_id"),
        {"sqlite_autoincrement": True},
    )


class TaskStep(Row):
    """The recorded result of one finished step: a step that stands here never runs again."""

    __tablename__ = "task_step"
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    result: Mapped[dict[str, Any]]
    at: Mapped[datetime] = stamped()
    __table_args__ = ()


class TaskLine(Row):
    """One line of a task's output; ``number`` counts from 0 (connect-wire-api §3.3 ``first``/``last``)."""

    __tablename__ = "task_line"
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = stamped()
    text: Mapped[str] = mapped_column(Text)
    __table_args__ = ()


class Recurrence(Row):
    """When a recurring task is due next."""

    __tablename__ = "recurrence"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    next_at: Mapped[datetime]
    __table_args__ = ()
