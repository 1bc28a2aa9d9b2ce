"""What the pages about people and their activity show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pilothouse.content.pages.views import Card, Filter, KindShown


@dataclass(frozen=True)
class PersonCard:
    """One person in the list. ``publishes`` says how much of theirs the reader may see."""

    name: str
    initials: str
    title: str
    place: str
    href: str
    publishes: str


@dataclass(frozen=True)
class PeopleView:
    people: Sequence[PersonCard]
    sentence: str
    query: str
    departments: Filter
    filtered: bool
    previous: str = ""
    next: str = ""


@dataclass(frozen=True)
class PersonView:
    """One person, and what the reader may see of what they publish. ``manage`` leads administrators to their account."""

    name: str
    initials: str
    username: str
    title: str
    department: str
    site: str
    mail: str
    is_self: bool
    cards: Sequence[Card]
    all_href: str
    news: Sequence[NewsLine]
    manage: str = ""


@dataclass(frozen=True)
class NewsLine:
    """One line of the feed. ``verb`` is what was done, in the reader's words."""

    kind: KindShown
    title: str
    href: str
    who: str
    who_href: str
    verb: str
    department: str
    tags: Sequence[str]
    at: datetime


@dataclass(frozen=True)
class Day:
    """The lines of one day."""

    name: str
    lines: Sequence[NewsLine]


@dataclass(frozen=True)
class ActivityView:
    days: Sequence[Day]
    filters: Sequence[Filter]
    filtered: bool
    older: str = ""
