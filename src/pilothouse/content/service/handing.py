"""Content changes hands: one item, or all that somebody owns."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.ids import new_key
from pilothouse.content.contract import ContentInvalid, NameTaken
from pilothouse.content.models import Content
from pilothouse.content.service.content import update_content
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.identity.models import User


def owned_by(tx: Tx, actor: Principal, user: User) -> list[Content]:
    """All that ``user`` owns, in all stages, by title."""
    require(actor, Permission.CONTENT_REASSIGN)
    chosen = select(Content).where(Content.owner_id == user.id, Content.deleted_at.is_(None))
    return sorted(tx.scalars(chosen), key=lambda row: ((row.title or row.name).lower(), row.id))


def hand_over(tx: Tx, actor: Principal, content: Content, *, to: User) -> Content:
    """Make ``to`` the owner. A name that they have already is made another. Raises `ContentInvalid`, `Denied` for a viewer."""
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    try:
        return update_content(tx, actor, content, changes={"owner_id": to.id})
    except NameTaken:
        changes = {"owner_id": to.id, "name": f"{content.name[:57]}-{new_key(6)}"}
        return update_content(tx, actor, content, changes=changes)


def hand_over_all(
    tx: Tx, actor: Principal, user: User, *, to: User, only: Collection[str] | None = None
) -> list[Content]:
    """Give ``to`` what ``user`` owns, in all stages, or of it the items with these GUIDs ``only``. Returns what moved.

    All of it moves, or nothing. Raises `ContentInvalid` and `Denied` as `hand_over`.
    """
    require(actor, Permission.CONTENT_REASSIGN)
    if to.id == user.id:
        raise ContentInvalid("They own it already. Name somebody else.")
    moving = [row for row in owned_by(tx, actor, user) if only is None or row.guid in only]
    return [hand_over(tx, actor, row, to=to) for row in moving]
