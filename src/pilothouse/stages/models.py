"""Stages: the ordered places that content moves through (dev, test, prod)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, stamped

TITLE_LIMIT = PATH_LIMIT = 80


class Stage(Row):
    """One stage. ``path`` is its URL prefix (``/`` or ``/prod/``); ``host`` and ``content_host`` are its own host names if it has any.

    Rows follow the settings at every start; a stage that left the settings is retired, never deleted.
    """

    __tablename__ = "stage"
    topic: ClassVar[str] = "stages"
    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(TITLE_LIMIT))
    path: Mapped[str] = mapped_column(String(PATH_LIMIT))
    host: Mapped[str | None] = mapped_column(String(255))
    content_host: Mapped[str | None] = mapped_column(String(255))
    usage: Mapped[str] = mapped_column(String(16), default="named", server_default="named")
    position: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = stamped()
    retired_at: Mapped[datetime | None]
