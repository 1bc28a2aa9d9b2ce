"""How content is used, for those who look after the whole installation: the most and the least used, old runtimes, use by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, TextClause, case, distinct, exists, func, select, text

from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, require
from pilothouse.content.models import Content
from pilothouse.content.service.usage import PERSON
from pilothouse.db import Tx
from pilothouse.gateway.models import NO_HIT, UsageEvent
from pilothouse.identity.models import User
from pilothouse.stages.models import Stage

#: Use counts for so long, and what was not used for so long counts as unused.
LATELY, UNUSED = timedelta(days=30), timedelta(days=90)
SHOWN = 10


@dataclass(frozen=True)
class Used:
    """Page loads and people of one content in the last 30 days, and how many of both were from other departments."""

    content: Content
    visits: int
    people: int
    outside: int


@dataclass(frozen=True)
class Outside:
    """Page loads of the last 30 days whose department is known, and those from outside the owner's."""

    visits: int
    outside: int


def most_used(tx: Tx, actor: Principal) -> list[Used]:
    """By page loads, the most used first."""
    require(actor, Permission.SETTINGS_READ)
    visitor, owner = User.__table__.alias("visitor"), User.__table__.alias("owner")
    home = func.coalesce(Content.department, owner.c.department)
    visits, outside = func.count(UsageEvent.id), func.sum(case((visitor.c.department != home, 1), else_=0))
    chosen = (
        select(Content.id, visits, func.count(distinct(PERSON)), outside)
        .join(UsageEvent, UsageEvent.subject_id == Content.id)
        .join(owner, owner.c.id == Content.owner_id)
        .outerjoin(visitor, visitor.c.id == UsageEvent.principal_id)
        .where(*_visits(), Content.deleted_at.is_(None))
        .group_by(Content.id)
        .order_by(visits.desc(), Content.id)
        .limit(SHOWN)
    )
    rows = tx.execute(chosen).all()
    contents = {row.id: row for row in tx.scalars(select(Content).where(Content.id.in_([row[0] for row in rows])))}
    return [Used(contents[number], int(n), int(people), int(others or 0)) for number, n, people, others in rows]


def outside_use(tx: Tx, actor: Principal) -> Outside:
    """How much of the use comes from outside the owner's department, where both departments are known."""
    require(actor, Permission.SETTINGS_READ)
    visitor, owner = User.__table__.alias("visitor"), User.__table__.alias("owner")
    home = func.coalesce(Content.department, owner.c.department)
    chosen = (
        select(func.count(UsageEvent.id), func.sum(case((visitor.c.department != home, 1), else_=0)))
        .join(Content, Content.id == UsageEvent.subject_id)
        .join(owner, owner.c.id == Content.owner_id)
        .join(visitor, visitor.c.id == UsageEvent.principal_id)
        .where(*_visits(), home.is_not(None), visitor.c.department.is_not(None))
    )
    visits, outside = tx.execute(chosen).one()
    return Outside(int(visits), int(outside or 0))


def unused(tx: Tx, actor: Principal) -> list[Content]:
    """Deployed, and not used by anybody for 90 days; the oldest deployment first."""
    require(actor, Permission.SETTINGS_READ)
    since = clock.now() - UNUSED
    used = (UsageEvent.subject_kind == "content", UsageEvent.subject_id == Content.id, UsageEvent.started_at >= since)
    idle = (Content.deleted_at.is_(None), Content.bundle_id.is_not(None), Content.last_deployed_at < since)
    chosen = select(Content).where(*idle, ~exists().where(*used)).order_by(Content.last_deployed_at)
    return list(tx.scalars(chosen.limit(SHOWN)))


def oldest_runtimes(tx: Tx, actor: Principal) -> Sequence[tuple[Content, str]]:
    """Active content on the oldest Pythons, with the version."""
    require(actor, Permission.SETTINGS_READ)
    alive = (Content.deleted_at.is_(None), Content.bundle_id.is_not(None), Content.py_version.is_not(None))
    known = tx.scalars(select(Content.py_version).where(*alive).distinct())
    versions = sorted((version for version in known if version), key=_parts)
    found: list[tuple[Content, str]] = []
    for version in versions:
        rows = tx.scalars(
            select(Content).where(*alive, Content.py_version == version).order_by(Content.id).limit(SHOWN - len(found))
        )
        found += [(row, f"Python {version}") for row in rows]
        if len(found) >= SHOWN:
            break
    return found


def _visits() -> tuple[ColumnElement[bool] | TextClause, ...]:
    since = clock.now() - LATELY
    of_stages = UsageEvent.stage_id.in_(select(Stage.id))  # an index begins with it
    return (
        UsageEvent.subject_kind == "content",
        of_stages,
        UsageEvent.kind == "visit",
        text(NO_HIT),
        UsageEvent.started_at >= since,
    )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
