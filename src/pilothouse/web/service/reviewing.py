"""How content is used, for those who look after the whole installation: the most and the least used, old runtimes, use by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, TextClause, and_, case, distinct, exists, func, select, text

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


def use_lately(tx: Tx, actor: Principal) -> tuple[list[Used], Outside]:
    """The most used content by page loads, the most used first; and the use of all content, where both departments are known."""
    require(actor, Permission.SETTINGS_READ)
    visitor, owner = User.__table__.alias("visitor"), User.__table__.alias("owner")
    guest, home = visitor.c.department, func.coalesce(Content.department, owner.c.department)
    visits, outside = func.count(UsageEvent.id), func.sum(case((guest != home, 1), else_=0))
    known = func.sum(case((and_(guest.is_not(None), home.is_not(None)), 1), else_=0))
    lately = _visits(tx)
    each = (
        select(Content.id, Content.deleted_at, visits, outside, known)
        .join(UsageEvent, UsageEvent.subject_id == Content.id)
        .join(owner, owner.c.id == Content.owner_id)
        .outerjoin(visitor, visitor.c.id == UsageEvent.principal_id)
        .where(*lately)
        .group_by(Content.id)
        .order_by(visits.desc(), Content.id)
    )
    rows = tx.execute(each).all()
    most = [(number, n, others) for number, deleted_at, n, others, _ in rows if deleted_at is None][:SHOWN]
    ids = [number for number, _, _ in most]
    of_most = select(UsageEvent.subject_id, func.count(distinct(PERSON)))
    of_most = of_most.where(*lately, UsageEvent.subject_id.in_(ids))
    people = {number: n for number, n in tx.execute(of_most.group_by(UsageEvent.subject_id))}
    contents = {row.id: row for row in tx.scalars(select(Content).where(Content.id.in_(ids)))}
    used = [Used(contents[number], int(n), people[number], int(others)) for number, n, others in most]
    return used, Outside(sum(int(row[4]) for row in rows), sum(int(row[3]) for row in rows))


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


def _visits(tx: Tx) -> tuple[ColumnElement[bool] | TextClause, ...]:
    since = clock.now() - LATELY
    of_stages = UsageEvent.stage_id.in_(tx.scalars(select(Stage.id)).all())  # an index begins with it
    return (
        UsageEvent.subject_kind == "content",
        of_stages,
        UsageEvent.kind == "visit",
        text(NO_HIT),
        UsageEvent.started_at >= since,
    )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
