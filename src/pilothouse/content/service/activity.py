"""What colleagues published, newest first: the feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from pilothouse.base.access import Principal
from pilothouse.content.models import Content, Deployment
from pilothouse.content.service.content import visible
from pilothouse.content.service.search import EVERYTHING, Wanted, narrowed
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.stages import StageRef


@dataclass(frozen=True)
class Published:
    """One content was published, by ``actor`` where that is known; ``times`` counts what followed within the same day.

    ``number`` orders the feed. ``is_first``: it was there for the first time.
    """

    number: int
    content: Content
    actor: User | None
    at: datetime
    is_first: bool
    times: int = 1


def activity(
    tx: Tx,
    actor: Principal,
    stage: StageRef,
    *,
    wanted: Wanted = EVERYTHING,
    before: int | None = None,
    limit: int = 100,
) -> list[Published]:
    """Deployments of what ``actor`` may see in this stage; those of one content, person and day are one.

    ``before`` is the number of the last one of the page before. At most ``limit`` deployments are looked at.
    """
    seen = narrowed(visible(actor, stage), wanted).where(Content.id == Deployment.content_id)
    newest = select(Deployment.id).where(seen.with_only_columns(Content.id).correlate(Deployment).exists())
    if before is not None:
        newest = newest.where(Deployment.id < before)
    ids = tx.scalars(
        newest.order_by(Deployment.id.desc()).limit(limit)
    ).all()  # from the newest on, until there are enough
    chosen = select(Deployment, Content, User).join(Content, Content.id == Deployment.content_id)
    chosen = chosen.outerjoin(User, User.id == Deployment.actor_id).where(Deployment.id.in_(ids))
    rows = tx.execute(chosen.order_by(Deployment.id.desc())).all()
    firsts = select(func.min(Deployment.id)).where(Deployment.content_id.in_([row[1].id for row in rows]))
    first = set(tx.scalars(firsts.group_by(Deployment.content_id)))
    found: dict[tuple[object, ...], Published] = {}
    for deployment, content, user in rows:
        key = (content.id, deployment.actor_id, deployment.activated_at.date())
        newer = found.get(key)
        at, times = (newer.at, newer.times + 1) if newer else (deployment.activated_at, 1)
        known = user if user is not None and not user.is_erased else None
        found[key] = Published(deployment.id, content, known, at, deployment.id in first, times)
    return list(found.values())


def published_counts(tx: Tx, actor: Principal, stage: StageRef, owner_ids: set[int]) -> Mapping[int, int]:
    """How much of each owner's ``actor`` may see in this stage."""
    mine = visible(actor, stage).where(Content.owner_id.in_(owner_ids)).with_only_columns(Content.owner_id).subquery()
    return {
        number: count for number, count in tx.execute(select(mine.c.owner_id, func.count()).group_by(mine.c.owner_id))
    }
