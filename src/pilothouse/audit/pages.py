"""The audit trail as a page: filter, page back, export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ChangeLine:
    """What became of one field."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class EventLine:
    at: datetime
    name: str
    actor: str
    via: str
    subject: str
    changes: Sequence[ChangeLine]


@dataclass(frozen=True)
class EventsView:
    """One page of events, newest first; ``older`` leads to the next."""

    events: Sequence[EventLine]
    event: str
    who: str
    known: Sequence[str]
    export: str
    older: str = ""
    problem: str = ""
