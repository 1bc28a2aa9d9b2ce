"""What the pages show on which people ask: for access, a question, about a problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pilothouse.asgi.rendering import Badge
from pilothouse.content.models import ThreadState

THREAD_BADGES = {
    ThreadState.OPEN.value: Badge("open", "busy"),
    ThreadState.ANSWERED.value: Badge("answered", "good"),
    ThreadState.SOLVED.value: Badge("solved", "good"),
}
KIND_NAMES = {"question": "Question", "problem": "Problem"}
KIND_ICONS = {"question": "message-circle", "problem": "alert-triangle"}


@dataclass(frozen=True)
class AskView:
    """The page on which somebody asks to be let in. ``asked_at`` is set when they did."""

    owner: str
    mail: str
    path: str
    typed: str = ""
    asked_at: datetime | None = None
    wrong: str = ""


@dataclass(frozen=True)
class RequestLine:
    """One open request, and where its answer is sent."""

    name: str
    initials: str
    place: str
    words: str
    at: datetime
    path: str


@dataclass(frozen=True)
class ThreadLine:
    kind: str
    icon: str
    words: str
    who: str
    badge: Badge
    messages: str
    changed_at: datetime
    href: str


@dataclass(frozen=True)
class QuestionsTab:
    """What was asked, and the form to ask. ``is_owner``: the reader answers here and sees everybody's."""

    threads: Sequence[ThreadLine]
    owner: str
    is_owner: bool
    kind: str = "question"
    typed: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Message:
    name: str
    initials: str
    is_asker: bool
    words: str
    at: datetime


@dataclass(frozen=True)
class ThreadTab:
    """One thread. ``may_promise``: the reader is on the side that fixes things."""

    kind: str
    icon: str
    badge: Badge
    messages: Sequence[Message]
    path: str
    back: str
    may_promise: bool
    is_solved: bool
    promised_at: datetime | None
    fixed_at: datetime | None
    typed: str = ""
    wrong: str = ""
