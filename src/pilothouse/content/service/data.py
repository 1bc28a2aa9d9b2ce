"""Data on the shelf: pins, with how many versions each has, how large it is and by how many people it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import distinct, func, select

from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, require
from pilothouse.content.models import Bundle, Content
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.usage import PERSON, VISITORS_SHOWN, Visits
from pilothouse.db import Tx
from pilothouse.gateway.models import UsageEvent
from pilothouse.identity.models import User

LATELY = timedelta(days=30)


@dataclass(frozen=True)
class Dataset:
    """Figures of one pin. ``readers`` counts people of the last 30 days, where the stage tells them apart."""

    versions: int
    size_bytes: int | None
    readers: int


def datasets_of(tx: Tx, contents: Sequence[Content]) -> dict[int, Dataset]:
    """Figures by content id. For rows that the caller may see: they name nobody."""
    ids = [row.id for row in contents]
    kept = select(Bundle.content_id, func.count()).where(Bundle.content_id.in_(ids), Bundle.deleted_at.is_(None))
    versions = {number: count for number, count in tx.execute(kept.group_by(Bundle.content_id))}
    active = [row.bundle_id for row in contents if row.bundle_id]
    sizes = {
        n: size for n, size in tx.execute(select(Bundle.content_id, Bundle.size_bytes).where(Bundle.id.in_(active)))
    }
    used = (UsageEvent.subject_kind == "content", UsageEvent.subject_id.in_(ids), UsageEvent.started_at >= since())
    counted = select(UsageEvent.subject_id, func.count(distinct(PERSON))).where(*used).group_by(UsageEvent.subject_id)
    readers = {number: count for number, count in tx.execute(counted)}
    return {n: Dataset(versions.get(n, 0), sizes.get(n), readers.get(n, 0)) for n in ids}


def readers_of(tx: Tx, actor: Principal, content: Content) -> list[Visits]:
    """Who read it most in the last 30 days, by any request; empty where the stage keeps no names."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    used = (UsageEvent.subject_kind == "content", UsageEvent.subject_id == content.id, UsageEvent.started_at >= since())
    count = func.count()
    chosen = (
        select(User, count, func.max(UsageEvent.started_at))
        .join(UsageEvent, UsageEvent.principal_id == User.id)
        .where(*used)
        .group_by(User.id)
        .order_by(count.desc(), User.id)
        .limit(VISITORS_SHOWN)
    )
    return [Visits(user, int(number), last) for user, number, last in tx.execute(chosen)]


def since() -> datetime:
    return clock.now() - LATELY
