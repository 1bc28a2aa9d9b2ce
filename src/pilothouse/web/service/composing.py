"""The home page as an administrator composes it: headings, and content below each."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Invalid
from pilothouse.db import Tx
from pilothouse.stages import StageRef
from pilothouse.web.models import LandingSection

SECTIONS_LIMIT, ITEMS_LIMIT, HEADING_LIMIT = 8, 24, 80


class LandingInvalid(Invalid):
    """The home page takes at most 8 headings of 1 to 80 characters, with at most 24 items each."""

    code = "web/landing-invalid"


def landing(tx: Tx, stage: StageRef) -> list[LandingSection]:
    """The sections in their order. What is in them is shown to whoever may open it only."""
    return list(
        tx.scalars(select(LandingSection).where(LandingSection.stage_id == stage.id).order_by(LandingSection.position))
    )


def compose(tx: Tx, actor: Principal, stage: StageRef, *, sections: Sequence[tuple[str, Sequence[int]]]) -> None:
    """Make the home page of a stage consist of these headings with these content ids; none = only what is featured. Raises `LandingInvalid`."""
    require(actor, Permission.CONTENT_FEATURE)
    named = [(" ".join(heading.split()), list(dict.fromkeys(ids))) for heading, ids in sections]
    fits = all(
        0 < len(heading) <= HEADING_LIMIT and heading.isprintable() and len(ids) <= ITEMS_LIMIT
        for heading, ids in named
    )
    if len(named) > SECTIONS_LIMIT or not fits:
        raise LandingInvalid
    before = [[row.heading, row.content_ids] for row in landing(tx, stage)]
    tx.execute(delete(LandingSection).where(LandingSection.stage_id == stage.id))
    for position, (heading, ids) in enumerate(named):
        tx.add(LandingSection(stage_id=stage.id, position=position, heading=heading, content_ids=ids))
    facts = {"before": {"sections": before}, "after": {"sections": [[heading, ids] for heading, ids in named]}}
    record(tx, actor, "web:landing:changed", ResourceRef("stage", stage.id), stage_id=stage.id, **facts)
    tx.flush()
