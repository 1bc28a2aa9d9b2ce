"""What people tell each other about content: requests for access, questions and problems."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pilothouse.db import Id, Row, only_where, stamped

_KEPT: Any = {"sqlite_autoincrement": True}


class Letters(StrEnum):
    """What people are mailed about, by the names that the queue holds."""

    REQUEST_MADE = "content.request.made"
    REQUEST_ANSWERED = "content.request.answered"
    THREAD_OPENED = "content.thread.opened"
    THREAD_REPLIED = "content.thread.replied"
    THREAD_SETTLED = "content.thread.settled"
    THREAD_FIXED = "content.thread.fixed"
    HANDED_OVER = "content.handed.over"


class RequestState(StrEnum):
    """Where a request for access is; only ``OPEN`` ones are waiting for somebody."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"


class AccessRequest(Row):
    """One person asks to be let in to one content; they have at most one open request for it.

    ``share`` is what they were given. The asker's home shows an answer until ``seen_at``.
    """

    __tablename__ = "access_request"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    words: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(12), default=RequestState.OPEN.value)
    share: Mapped[str | None] = mapped_column(String(12))
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_by_id: Mapped[int | None]
    created_at: Mapped[datetime] = stamped()
    answered_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_access_request_open",
            "content_id",
            "user_id",
            unique=True,
            **only_where("state = 'open'"),
        ),
        _KEPT,
    )


class ThreadKind(StrEnum):
    """Why somebody wrote."""

    QUESTION = "question"
    PROBLEM = "problem"


class ThreadState(StrEnum):
    """``OPEN``: the owner's turn. ``ANSWERED``: the asker's. ``SOLVED``: nobody's, until the asker writes again."""

    OPEN = "open"
    ANSWERED = "answered"
    SOLVED = "solved"


class Thread(Row):
    """A question or a problem about one content, between whoever asked and those who may change it.

    ``promised_at`` is when it was said that the next deploy brings the fix, ``fixed_at`` when that deploy went live. Whoever
    asked is shown it on the home page while ``told_at`` is later than ``seen_at``.
    """

    __tablename__ = "thread"
    id: Mapped[Id]
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(12), default=ThreadState.OPEN.value)
    promised_at: Mapped[datetime | None]
    fixed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = stamped()
    changed_at: Mapped[datetime] = stamped()
    told_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    __table_args__ = _KEPT


class ThreadMessage(Row):
    """One message of a thread, plain text."""

    __tablename__ = "thread_message"
    id: Mapped[Id]
    thread_id: Mapped[int] = mapped_column(ForeignKey("thread.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    words: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = stamped()
    __table_args__ = _KEPT


class HandOver(Row):
    """The last time that somebody gave one content to somebody else: for a while they may take it back, under its old ``name``."""

    __tablename__ = "hand_over"
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), primary_key=True)
    from_owner_id: Mapped[int]
    to_owner_id: Mapped[int]
    by_id: Mapped[int | None]
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = stamped()
    __table_args__ = ()


class Steward(Row):
    """A person whom an administrator trusts to endorse content."""

    __tablename__ = "steward"
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    named_by_id: Mapped[int | None]
    created_at: Mapped[datetime] = stamped()
    __table_args__ = ()


class Endorsement(Row):
    """A steward stands up for one content, with a sentence; a change of its owner ends that."""

    __tablename__ = "endorsement"
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    words: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = stamped()
    __table_args__ = ()
