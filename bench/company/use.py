"""What the gateway and the verbs wrote down: requests of 90 days, events of a year. Ids grow with time, as they do for real."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.company import words
from bench.company.size import POPULAR, PUBLISHERS, Size
from bench.company.tables import Table
from pilothouse.audit.models import Event, Seal
from pilothouse.gateway.models import UsageEvent

SPAN, TRAIL = timedelta(days=90), timedelta(days=365)
_USE = (
    "id", "kind", "stream", "subject_kind", "subject_id", "stage_id", "principal_id", "bundle_id", "path", "status",
    "user_agent", "started_at", "ended_at", "duration_ms",
)  # fmt: skip
_EVENT = ("id", "at", "name", "actor_id", "actor_kind", "via", "subject_kind", "subject_id", "stage_id", "changes")
#: How often of a hundred; what each is about.
_NAMES = (
    (60, "identity:login:started", ""),
    (20, "content:content:updated", "content"),
    (10, "content:content:deployed", "content"),
    (7, "content:access:granted", "content"),
    (3, "identity:group:member-added", "group"),
)


def tables(size: Size, today: datetime) -> Iterator[Table]:
    yield Table(UsageEvent, _USE, _uses(size, today))
    yield Table(Event, _EVENT, _events(size, today))
    yield Table(Seal, ("number", "event_id", "mac"), ((n, n, f"{n:064x}") for n in range(1, size.events + 1)))


def _uses(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    """Of a hundred requests two are page loads and one opens a connection; few items get most of them."""
    chance, step = random.Random(8), SPAN / size.hits
    for n in range(1, size.hits + 1):
        at = today - SPAN + n * step
        item = POPULAR if n % 20 == 0 else 1 + int((size.items - 1) * chance.random() ** 3)
        kind = "visit" if n % 50 == 1 else "socket" if n % 100 == 2 else "hit"
        user = 1 + int(size.users * chance.random() ** 2) if chance.random() < 0.9 else None
        seconds = chance.randrange(3_600) if kind == "socket" else 0
        yield (
            n, kind, f"bench{n:010}", "content", item, 1, user, item, "/" if kind != "hit" else f"/static/part-{n % 40}.js",
            500 if n % 500 == 0 else 200, words.AGENTS[n % 3], at, at + timedelta(seconds=seconds), seconds * 1000 + n % 300,
        )  # fmt: skip


def _events(size: Size, today: datetime) -> Iterator[tuple[Any, ...]]:
    chance, step = random.Random(9), TRAIL / size.events
    shares = [share for share, _, _ in _NAMES]
    for n in range(1, size.events + 1):
        _, name, kind = chance.choices(_NAMES, shares)[0]
        actor = chance.randint(1, size.users if not kind else PUBLISHERS)
        subject = chance.randint(1, size.items if kind == "content" else size.groups) if kind else None
        changes: dict[str, Any] = {"provider": [None, "password"]} if not kind else {"title": [f"Old {n}", f"New {n}"]}
        if kind == "group":
            changes = {"user_id": [None, chance.randint(1, size.users)]}
        yield (
            n,
            today - TRAIL + n * step,
            name,
            actor,
            "user",
            "",
            kind,
            subject,
            1 if kind == "content" else None,
            changes,
        )
