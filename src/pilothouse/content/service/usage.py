"""How content was used: visits, people, requests, open connections, and what its workers took, over time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, String, case, cast, distinct, extract, func, select, text

from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, require
from pilothouse.content.models import Content, WorkerSample
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.gateway.models import NO_HIT, UsageEvent
from pilothouse.identity.models import User

SOCKETS_READ = 200_000
VISITORS_SHOWN = 20
FAILED_FROM = 500
#: Who made a request, as far as the stage keeps people apart.
PERSON = func.coalesce(cast(UsageEvent.principal_id, String), UsageEvent.pseudonym)


@dataclass(frozen=True)
class Span:
    """A stretch of time up to now, cut into equal steps; steps begin at whole multiples of their length (UTC)."""

    length: timedelta
    step: timedelta

    def starts(self) -> list[datetime]:
        """When each step begins, oldest first; the last one holds the present moment."""
        size = int(self.step.total_seconds())
        last = int(clock.now().timestamp()) // size * size
        count = int(self.length / self.step)
        return [datetime.fromtimestamp(last - size * (count - 1 - n), UTC) for n in range(count)]


@dataclass(frozen=True)
class Step:
    """What happened in one step: page loads, different people who made them, all requests, those that failed on our side
    (status 500 and above), and the most connections that were open at once."""

    at: datetime
    visits: int = 0
    people: int = 0
    requests: int = 0
    failed: int = 0
    open: int = 0


@dataclass(frozen=True)
class Visits:
    """One person's visits within a span."""

    user: User
    visits: int
    last_at: datetime


@dataclass(frozen=True)
class Load:
    """What each worker used in one step, by its slot: cores on average, and the most memory in bytes."""

    at: datetime
    cores: dict[int, float]
    memory: dict[int, int]


def usage_of(tx: Tx, actor: Principal, content: Content, *, span: Span) -> list[Step]:
    """Each step of ``span``, oldest first."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    starts = span.starts()
    number = _step_number(UsageEvent.started_at, span)
    is_visit = UsageEvent.kind == "visit"
    counted = (
        select(
            number,
            func.sum(case((is_visit, 1), else_=0)),
            func.count(distinct(case((is_visit, PERSON)))),
            func.count(),
            func.sum(case((UsageEvent.status >= FAILED_FROM, 1), else_=0)),
        )
        .where(*_of(content), UsageEvent.started_at >= starts[0])
        .group_by(number)
    )
    found = {int(row[0]): row for row in tx.execute(counted)}
    size = int(span.step.total_seconds())
    opened = _most_open(_sockets(tx, content, starts[0]), starts, span.step)
    steps = []
    for at, most in zip(starts, opened, strict=True):
        row = found.get(int(at.timestamp()) // size)
        visits, people, requests, failed = (int(n or 0) for n in row[1:]) if row else (0, 0, 0, 0)
        steps.append(Step(at, visits, people, requests, failed, most))
    return steps


def people_of(tx: Tx, actor: Principal, content: Content, *, span: Span) -> int:
    """How many different people visited within ``span``, as far as the stage keeps them apart."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    return tx.scalar(select(func.count(distinct(PERSON))).where(*_visited(content, span))) or 0


def visitors_of(tx: Tx, actor: Principal, content: Content, *, span: Span) -> list[Visits]:
    """Who visited most within ``span``; empty where the stage keeps no names."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    count = func.count()
    chosen = (
        select(User, count, func.max(UsageEvent.started_at))
        .join(UsageEvent, UsageEvent.principal_id == User.id)
        .where(*_visited(content, span))
        .group_by(User.id)
        .order_by(count.desc(), User.id)
        .limit(VISITORS_SHOWN)
    )
    return [Visits(user, int(number), last) for user, number, last in tx.execute(chosen)]


def load_of(tx: Tx, actor: Principal, content: Content, *, span: Span) -> list[Load]:
    """What its workers used in each step; a slot that did not run in a step is missing there."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    starts, size = span.starts(), int(span.step.total_seconds())
    number = _step_number(WorkerSample.at, span)
    used = (
        select(number, WorkerSample.slot, func.avg(WorkerSample.cores), func.max(WorkerSample.memory))
        .where(WorkerSample.content_id == content.id, WorkerSample.at >= starts[0])
        .group_by(number, WorkerSample.slot)
    )
    found: dict[int, Load] = {}
    for step, slot, cores, memory in tx.execute(used):
        load = found.setdefault(int(step), Load(datetime.fromtimestamp(int(step) * size, UTC), {}, {}))
        load.cores[slot], load.memory[slot] = float(cores), int(memory)
    return [found.get(int(at.timestamp()) // size) or Load(at, {}, {}) for at in starts]


def _of(content: Content) -> tuple[Any, ...]:
    return UsageEvent.subject_kind == "content", UsageEvent.subject_id == content.id


def _visited(content: Content, span: Span) -> tuple[Any, ...]:
    is_visit = (UsageEvent.kind == "visit", text(NO_HIT))
    return *_of(content), *is_visit, UsageEvent.started_at >= span.starts()[0]


def _step_number(moment: Any, span: Span) -> Any:
    """Seconds since 1970 by the length of a step: the same whole number for all moments of one step.

    PostgreSQL rounds to a whole second where SQLite cuts: a moment may count for the step that begins half a second later.
    """
    return cast(extract("epoch", moment), Integer) // int(span.step.total_seconds())


def _sockets(tx: Tx, content: Content, since: datetime) -> list[tuple[datetime, datetime | None]]:
    lived = (
        UsageEvent.kind == "socket",
        text(NO_HIT),
        (UsageEvent.ended_at.is_(None)) | (UsageEvent.ended_at >= since),
    )
    chosen = select(UsageEvent.started_at, UsageEvent.ended_at).where(*_of(content), *lived)
    return [(begin, end) for begin, end in tx.execute(chosen.order_by(UsageEvent.id.desc()).limit(SOCKETS_READ))]


def _most_open(
    lives: Iterable[tuple[datetime, datetime | None]], starts: Sequence[datetime], step: timedelta
) -> list[int]:
    """The most that were open at once in each step. Pure; ``None`` ends later than all steps."""
    waiting = sorted(lives, key=lambda life: life[0])
    ends: list[datetime] = []
    endless, position, most = 0, 0, []
    for at in starts:
        while ends and ends[0] <= at:
            heapq.heappop(ends)
        peak = len(ends) + endless
        while position < len(waiting) and waiting[position][0] < at + step:
            begin, end = waiting[position]
            position += 1
            while ends and ends[0] <= begin:
                heapq.heappop(ends)
            if end is None:
                endless += 1
            elif end > at:
                heapq.heappush(ends, end)
            peak = max(peak, len(ends) + endless)
        most.append(peak)
    return most
