"""What administrators tell everybody: announcements, and what the home page shows of the featured."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, stamped


class Announcement(Row):
    """A few words on top of every page, until a moment (``None``: until somebody ends it)."""

    __tablename__ = "announcement"
    topic: ClassVar[str] = "announcement"
    id: Mapped[Id]
    words: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime | None]
    created_by_id: Mapped[int | None]
    created_at: Mapped[datetime] = stamped()
    ended_at: Mapped[datetime | None]


class LandingSection(Row):
    """One heading of the home page of a stage with content below it, in that order; whoever may not open an item does not see it."""

    __tablename__ = "landing_section"
    id: Mapped[Id]
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    heading: Mapped[str] = mapped_column(String(80))
    content_ids: Mapped[list[Any]]
