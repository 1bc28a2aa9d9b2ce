"""Content changes hands: one item, or all that somebody owns; and back again, while it is fresh."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, Resource, Share, require
from pilothouse.base.ids import is_guid, new_key
from pilothouse.content.contract import ContentInvalid, ContentUnknown, NameTaken
from pilothouse.content.models import Content, HandOver
from pilothouse.content.service.content import make_changes
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.telling import tell_new_owner
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.stages import StageRef

#: So long whoever gave something away may take it back.
FRESH = timedelta(minutes=15)


def owned_by(tx: Tx, actor: Principal, user: User) -> list[Content]:
    """All that ``user`` owns, in all stages, by title."""
    require(actor, Permission.CONTENT_REASSIGN)
    chosen = select(Content).where(Content.owner_id == user.id, Content.deleted_at.is_(None))
    return sorted(tx.scalars(chosen), key=lambda row: ((row.title or row.name).lower(), row.id))


def hand_over(tx: Tx, actor: Principal, content: Content, *, to: User) -> Content:
    """Make ``to`` the owner, who is mailed. A name that they have already is made another.

    Raises `ContentInvalid`, `Denied` for a viewer.
    """
    return hand_over_each(tx, actor, [content], to=to)[0]


def hand_over_each(tx: Tx, actor: Principal, items: Sequence[Content], *, to: User) -> list[Content]:
    """`hand_over` all ``items``, of which ``to`` hears in one mail. All of them move, or none."""
    given = [content for content in items if content.owner_id != to.id]
    for content in items:
        _hand_over(tx, actor, content, to)
    if given:
        tell_new_owner(tx, given[0], by_id=actor.id, more=len(given) - 1)
    return list(items)


def _hand_over(tx: Tx, actor: Principal, content: Content, to: User) -> None:
    resource = resource_of(tx, content)
    require(actor, Permission.CONTENT_SHARE, resource)
    require(actor, Permission.CONTENT_UPDATE, resource)
    kept = HandOver(
        content_id=content.id, from_owner_id=content.owner_id, to_owner_id=to.id, by_id=actor.id, name=content.name
    )
    try:
        make_changes(tx, actor, content, {"owner_id": to.id})
    except NameTaken:
        make_changes(tx, actor, content, {"owner_id": to.id, "name": _another_name(content)})
    if kept.from_owner_id != to.id:
        kept.created_at = clock.now()
        tx.merge(kept)


def take_back(tx: Tx, actor: Principal, content: Content) -> Content:
    """Undo one's own last `hand_over`, within `FRESH` and unless it has changed hands since; the rights for it are gone with it else.

    It has its old name again, unless that is taken by now. Raises `ContentInvalid`, `Denied`.
    """
    kept = tx.get(HandOver, content.id)
    require(actor, Permission.CONTENT_SHARE, _as_given(tx, content, kept))
    if kept is None:
        raise ContentInvalid("It has not changed hands. Name its new owner instead.")
    owner = {"owner_id": kept.from_owner_id}
    try:
        make_changes(tx, actor, content, owner | {"name": kept.name})
    except NameTaken:
        make_changes(tx, actor, content, owner | {"name": _another_name(content)})
    tx.delete(kept)
    return content


def given_away(tx: Tx, actor: Principal, stage: StageRef, guid: str) -> Content:
    """What ``actor`` gave away just now and may take back. Raises `ContentUnknown`."""
    row = tx.scalar(select(Content).where(Content.guid == guid)) if is_guid(guid) else None
    kept = tx.get(HandOver, row.id) if row is not None else None
    if row is None or kept is None or row.stage_id != stage.id or kept.by_id != actor.id or not _is_fresh(row, kept):
        raise ContentUnknown(f"There is no content {guid} here that you can take back.")
    return row


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
    return hand_over_each(tx, actor, moving, to=to)


def _as_given(tx: Tx, content: Content, kept: HandOver | None) -> Resource:
    """Whoever gave it away lately has the rights of an editor still, for taking it back."""
    resource = resource_of(tx, content)
    if kept is None or kept.by_id is None or not _is_fresh(content, kept):
        return resource
    return replace(resource, users={**resource.users, kept.by_id: Share.EDITOR})


def _is_fresh(content: Content, kept: HandOver) -> bool:
    is_same = content.deleted_at is None and kept.to_owner_id == content.owner_id
    return is_same and clock.now() - kept.created_at < FRESH


def _another_name(content: Content) -> str:
    return f"{content.name[:57]}-{new_key(6)}"
