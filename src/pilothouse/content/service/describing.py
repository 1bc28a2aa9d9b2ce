"""What people add to content so that others find it: tags, a picture, a place among the favourites or the featured."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, func, select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Denied, Invalid
from pilothouse.content.models import Content, ContentTag, Favourite, Tag, Thumbnail
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx

TAGS_LIMIT, TAG_LENGTH = 12, 60
THUMBNAIL_LIMIT = 256 * 1024
#: How files of a type begin. SVG is not among them: it can carry scripts.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)


class TagInvalid(Invalid):
    """A tag is 1 to 60 printable characters, and content has at most 12 of them."""

    code = "content/tag-invalid"


class ThumbnailInvalid(Invalid):
    """Choose a PNG, JPEG, WebP or GIF picture of at most 256 kB."""

    code = "content/thumbnail-invalid"


def tags_of(tx: Tx, contents: Sequence[Content]) -> dict[int, list[str]]:
    """Tag names by content id, in alphabetical order. For rows that the caller may see."""
    found: dict[int, list[str]] = {row.id: [] for row in contents}
    chosen = select(ContentTag.content_id, Tag.name).join(Tag, Tag.id == ContentTag.tag_id)
    for number, name in tx.execute(chosen.where(ContentTag.content_id.in_(list(found))).order_by(func.lower(Tag.name))):
        found[number].append(name)
    return found


def set_tags(tx: Tx, actor: Principal, content: Content, *, names: Sequence[str]) -> list[str]:
    """Give content these tags and no others; a tag that is new is made, a known one keeps its spelling. Raises `TagInvalid`."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    wanted: dict[str, str] = {}
    for name in (" ".join(raw.split()) for raw in names):
        if name:
            wanted.setdefault(name.lower(), name)
    if len(wanted) > TAGS_LIMIT or any(len(name) > TAG_LENGTH or not name.isprintable() for name in wanted.values()):
        raise TagInvalid
    before = tags_of(tx, [content])[content.id]
    tags = [_tag(tx, name) for name in wanted.values()]
    after = sorted((tag.name for tag in tags), key=str.lower)
    if after == before:
        return before
    tx.execute(delete(ContentTag).where(ContentTag.content_id == content.id))
    tx.add_all(ContentTag(content_id=content.id, tag_id=tag.id) for tag in tags)
    tx.flush()
    record(
        tx, actor, "content:content:updated", ResourceRef("content", content.id), stage_id=content.stage_id,
        before={"tags": before}, after={"tags": after},
    )  # fmt: skip
    return after


def set_thumbnail(tx: Tx, actor: Principal, content: Content, *, image: bytes | None) -> None:
    """Show this picture for content; ``None`` = draw one again. Raises `ThumbnailInvalid`."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    now = tx.get(Thumbnail, content.id)
    before = now.digest if now else None
    if now is not None:
        tx.delete(now)
        tx.flush()
    after = None
    if image is not None:
        after = hashlib.sha256(image).hexdigest()
        tx.add(Thumbnail(content_id=content.id, digest=after, media_type=_media_type(image), image=image))
    record(
        tx, actor, "content:content:updated", ResourceRef("content", content.id), stage_id=content.stage_id,
        before={"thumbnail": before}, after={"thumbnail": after},
    )  # fmt: skip


def thumbnail(tx: Tx, actor: Principal, content: Content) -> Thumbnail | None:
    """The picture somebody chose, if any."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    return tx.get(Thumbnail, content.id)


def thumbnails_of(tx: Tx, contents: Sequence[Content]) -> dict[int, str]:
    """Digests of chosen pictures by content id. For rows that the caller may see."""
    chosen = select(Thumbnail.content_id, Thumbnail.digest)
    rows = tx.execute(chosen.where(Thumbnail.content_id.in_([row.id for row in contents])))
    return {number: digest for number, digest in rows}


def keep_at_hand(tx: Tx, actor: Principal, content: Content, *, kept: bool) -> None:
    """Put content among one's favourites, or take it out; twice is harmless. Nobody else learns of it, and no audit does."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    if actor.id is None:
        raise Denied("Favourites belong to a person: sign in as one.")
    there = tx.get(Favourite, (actor.id, content.id))
    if kept and there is None:
        tx.add(Favourite(user_id=actor.id, content_id=content.id))
    if not kept and there is not None:
        tx.delete(there)
    tx.flush()


def favourites_of(tx: Tx, user_id: int | None, contents: Sequence[Content]) -> set[int]:
    """Which of these are among a person's favourites; nobody (``None``) has any."""
    mine = (Favourite.user_id == user_id, Favourite.content_id.in_([row.id for row in contents]))
    return set(tx.scalars(select(Favourite.content_id).where(*mine)))


def feature(tx: Tx, actor: Principal, content: Content, *, featured: bool) -> None:
    """Show content to everybody who may open it on their home page, or no longer."""
    require(actor, Permission.CONTENT_FEATURE)
    before, content.featured = content.featured, featured
    record(
        tx, actor, "content:content:updated", ResourceRef("content", content.id), stage_id=content.stage_id,
        before={"featured": before}, after={"featured": featured},
    )  # fmt: skip


def _tag(tx: Tx, name: str) -> Tag:
    tag = tx.scalar(select(Tag).where(func.lower(Tag.name) == name.lower()))
    if tag is None:
        tag = Tag(name=name)
        tx.add(tag)
        tx.flush()
    return tag


def _media_type(image: bytes) -> str:
    kind = next((kind for start, at, kind in _BEGINNINGS if image[at : at + len(start)] == start), None)
    if kind is None or len(image) > THUMBNAIL_LIMIT:
        raise ThumbnailInvalid
    return kind
