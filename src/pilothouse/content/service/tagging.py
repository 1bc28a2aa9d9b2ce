"""Tags on content: with each come those above it, and with each go those below it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.content.models import Content, ContentTag, Tag
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.tags import TagInvalid, above, below, checked_name, names_of
from pilothouse.db import Tx

TAGS_LIMIT = 12
#: The category of words that people type in on an item's page.
FREE = "Topics"


def tags_on(tx: Tx, contents: Sequence[Content]) -> dict[int, list[Tag]]:
    """Tags by content id, in the order they were made. For rows that the caller may see."""
    found: dict[int, list[Tag]] = {row.id: [] for row in contents}
    chosen = select(ContentTag.content_id, Tag).join(Tag, Tag.id == ContentTag.tag_id)
    for number, tag in tx.execute(chosen.where(ContentTag.content_id.in_(list(found))).order_by(Tag.id)):
        found[number].append(tag)
    return found


def tags_of(tx: Tx, contents: Sequence[Content]) -> dict[int, list[str]]:
    """Tag names by content id, in alphabetical order. For rows that the caller may see."""
    return {number: names_of(tags) for number, tags in tags_on(tx, contents).items()}


def add_tag(tx: Tx, actor: Principal, content: Content, *, tag: Tag) -> list[Tag]:
    """Put a tag on content, and those above it. A category is refused with `TagInvalid`; one that is on is a no-op."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    if tag.parent_id is None:
        raise TagInvalid(f"“{tag.name}” is a category. Choose a tag below it.")
    now = tags_on(tx, [content])[content.id]
    return _put(tx, actor, content, {each.id for each in (*now, *above(tx, tag)[:-1])})


def remove_tag(tx: Tx, actor: Principal, content: Content, *, tag: Tag) -> list[Tag]:
    """Take a tag off content, and those below it; of a category, all below it. One that is not on is a no-op."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    gone = set(tx.scalars(below(tag.id)))
    return _put(tx, actor, content, {each.id for each in tags_on(tx, [content])[content.id]} - gone)


def set_tags(tx: Tx, actor: Principal, content: Content, *, names: Sequence[str]) -> list[str]:
    """Give content the tags of these names, those above them, and no others. A name that no tag has becomes one below
    the category of free words; a known one keeps its spelling and place. Raises `TagInvalid`.
    """
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    wanted: dict[str, str] = {}
    for name in names:
        if name.strip():
            wanted.setdefault(checked_name(name).lower(), name)
    if len(wanted) > TAGS_LIMIT:
        raise TagInvalid
    now = {tag.name.lower(): tag for tag in tags_on(tx, [content])[content.id]}
    chosen = [now.get(key) or _tag(tx, checked_name(name)) for key, name in wanted.items()]
    return names_of(_put(tx, actor, content, {each.id for tag in chosen for each in above(tx, tag)[:-1]}))


def _put(tx: Tx, actor: Principal, content: Content, wanted: Collection[int]) -> list[Tag]:
    """Exactly these are on ``content`` afterwards."""
    rows = {row.tag_id: row for row in tx.scalars(select(ContentTag).where(ContentTag.content_id == content.id))}
    before = names_of(tags_on(tx, [content])[content.id])
    for tag_id in sorted(set(wanted) - set(rows)):
        tx.add(ContentTag(content_id=content.id, tag_id=tag_id))
    for tag_id in set(rows) - set(wanted):
        tx.delete(rows[tag_id])
    tx.flush()
    now = tags_on(tx, [content])[content.id]
    if set(rows) != set(wanted):
        record(
            tx, actor, "content:content:updated", ResourceRef("content", content.id), stage_id=content.stage_id,
            before={"tags": before}, after={"tags": names_of(now)},
        )  # fmt: skip
    return now


def _tag(tx: Tx, name: str) -> Tag:
    """The oldest tag of this name that is no category; a new one among the free words if there is none."""
    known = select(Tag).where(func.lower(Tag.name) == name.lower(), Tag.parent_id.is_not(None)).order_by(Tag.id)
    tag = tx.scalar(known.limit(1))
    if tag is None:
        category = tx.scalar(select(Tag).where(Tag.name == FREE, Tag.parent_id.is_(None)))
        if category is None:
            category = Tag(name=FREE)
            tx.add(category)
            tx.flush()
        tag = Tag(name=name, parent_id=category.id)
        tx.add(tag)
        tx.flush()
    return tag
