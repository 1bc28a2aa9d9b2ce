"""The tree of tags: making, renaming, moving and removing them. What stands at the top is a category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Conflict, Denied, Invalid, NotAuthenticated, NotFound
from pilothouse.content.models import Content, ContentTag, Tag
from pilothouse.content.service.content import visible_of
from pilothouse.db import Tx
from pilothouse.stages import StageRef

TAG_LENGTH = 60
DEPTH_LIMIT = 20


class TagInvalid(Invalid):
    """A tag is 1 to 60 printable characters, and content has at most 12 of them."""

    code = "content/tag-invalid"


class TagUnknown(NotFound):
    """There is no such tag."""

    code = "content/tag-unknown"


class TagTaken(Conflict):
    """There is a tag of this name at the same place. Choose another name."""

    code = "content/tag-taken"


class TagCycle(Conflict):
    """A tag can't be below itself. Choose another place."""

    code = "content/tag-cycle"


def list_tags(tx: Tx, actor: Principal, *, name: str | None = None, parent_id: int | None = None) -> list[Tag]:
    """All tags, or those of this name or below this one, in the order they were made."""
    _require_reader(actor)
    chosen = select(Tag).order_by(Tag.id)
    if name is not None:
        if not name.isprintable():
            return []
        chosen = chosen.where(func.lower(Tag.name) == name.lower())
    if parent_id is not None:
        chosen = chosen.where(Tag.parent_id == parent_id)
    return list(tx.scalars(chosen))


def get_tag(tx: Tx, actor: Principal, tag_id: int) -> Tag:
    """Raises `TagUnknown`."""
    _require_reader(actor)
    tag = tx.get(Tag, tag_id)
    if tag is None:
        raise TagUnknown(f"There is no tag {tag_id}.")
    return tag


def create_tag(tx: Tx, actor: Principal, *, name: str, parent: Tag | None) -> Tag:
    """A new tag below ``parent``, or a new category. Raises `TagInvalid`, `TagTaken`."""
    require(actor, Permission.TAG_MANAGE)
    if parent is not None and len(above(tx, parent)) >= DEPTH_LIMIT:
        raise TagInvalid(f"Tags are at most {DEPTH_LIMIT} levels deep. Put it somewhere else.")
    tag = Tag(name=checked_name(name), parent_id=parent.id if parent else None)
    tx.add(tag)
    _flush(tx, tag)
    after = {"name": tag.name, "parent_id": tag.parent_id}
    record(tx, actor, "content:tag:created", ResourceRef("tag", tag.id), after=after)
    return tag


def change_tag(tx: Tx, actor: Principal, tag: Tag, *, changes: Mapping[str, Any]) -> Tag:
    """Another ``name``, another ``parent`` (a tag, or ``None`` for the top). Content keeps its tags, and gets those above the new place.

    A tag that becomes a category goes off content. Raises `TagInvalid`, `TagTaken`, `TagCycle`.
    """
    require(actor, Permission.TAG_MANAGE)
    before = {"name": tag.name, "parent_id": tag.parent_id}
    if "name" in changes:
        tag.name = checked_name(changes["name"])
    if "parent" in changes:
        _move(tx, tag, changes["parent"])
    after = {"name": tag.name, "parent_id": tag.parent_id}
    if after == before:
        return tag
    tag.updated_at = clock.now()
    _flush(tx, tag)
    complete(tx, tag)
    record(tx, actor, "content:tag:updated", ResourceRef("tag", tag.id), before=before, after=after)
    return tag


def delete_tag(tx: Tx, actor: Principal, tag: Tag) -> None:
    """Remove a tag and all below it, from content too."""
    require(actor, Permission.TAG_MANAGE)
    record(
        tx,
        actor,
        "content:tag:deleted",
        ResourceRef("tag", tag.id),
        before={"name": tag.name, "parent_id": tag.parent_id},
    )
    tx.delete(tag)
    tx.flush()


def content_of_tag(tx: Tx, actor: Principal, stage: StageRef, tag: Tag) -> list[Content]:
    """What ``actor`` may see in this stage that has this tag or one below it, last deployed first."""
    _require_reader(actor)
    tagged = select(ContentTag.content_id).where(ContentTag.tag_id.in_(below(tag.id)))
    chosen = visible_of(actor, stage, tagged)
    return list(tx.scalars(chosen.order_by(Content.last_deployed_at.desc(), Content.id.desc())))


def below(tag_id: int) -> Select[int]:
    """The ids of a tag and of all below it."""
    tree = select(Tag.id).where(Tag.id == tag_id).cte("below", recursive=True)
    tree = tree.union(select(Tag.id).join(tree, Tag.parent_id == tree.c.id))
    return select(tree.c.id)


def above(tx: Tx, tag: Tag) -> list[Tag]:
    """A tag and those above it, the category last."""
    found = [tag]
    while (parent_id := found[-1].parent_id) is not None:
        parent = tx.get(Tag, parent_id)
        assert parent is not None
        found.append(parent)
    return found


def complete(tx: Tx, tag: Tag) -> None:
    """Content that has ``tag`` or one below it gets all tags above them, and loses what is a category."""
    tree = select(Tag).where(Tag.id.in_(below(tag.id)))
    places = {each.id: above(tx, each) for each in tx.scalars(tree).all()}
    rows = tx.execute(select(ContentTag.content_id, ContentTag.tag_id).where(ContentTag.tag_id.in_(list(places)))).all()
    wanted = {(content_id, place.id) for content_id, tag_id in rows for place in places[tag_id][:-1]}
    tops = {each.id for each in tx.scalars(tree) if each.parent_id is None}
    for content_id, tag_id in wanted:
        if tx.get(ContentTag, (content_id, tag_id)) is None:
            tx.add(ContentTag(content_id=content_id, tag_id=tag_id))
    for row in tx.scalars(select(ContentTag).where(ContentTag.tag_id.in_(tops))):
        tx.delete(row)
    tx.flush()


def checked_name(name: object) -> str:
    """A name as it is kept: without spaces at its ends. Raises `TagInvalid`."""
    text = " ".join(name.split()) if isinstance(name, str) else ""
    if not text or len(text) > TAG_LENGTH or not text.isprintable():
        raise TagInvalid
    return text


def names_of(tags: Sequence[Tag]) -> list[str]:
    """In alphabetical order."""
    return sorted((tag.name for tag in tags), key=str.lower)


def _move(tx: Tx, tag: Tag, parent: Tag | None) -> None:
    tx.execute(select(Tag.id).order_by(Tag.id).with_for_update())  # two moves must not make a circle together
    if parent is not None:
        tx.refresh(parent)
        path = above(tx, parent)
        if tag in path:
            raise TagCycle
        if len(path) >= DEPTH_LIMIT:
            raise TagInvalid(f"Tags are at most {DEPTH_LIMIT} levels deep. Put it somewhere else.")
    tag.parent_id = parent.id if parent else None


def _flush(tx: Tx, tag: Tag) -> None:
    name = tag.name  # a failed flush forgets it
    try:
        tx.flush()
    except IntegrityError as error:
        raise TagTaken(f"There is a tag “{name}” at the same place. Choose another name.") from error


def _require_reader(actor: Principal) -> None:
    """Everybody who is signed in reads the tree."""
    if not actor.is_authenticated:
        raise NotAuthenticated
    if actor.role is None:
        raise Denied
