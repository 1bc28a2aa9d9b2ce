"""What people add to content so that others find it: a picture, a place among the favourites or the featured."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Denied, Invalid
from pilothouse.content.models import Content, Favourite, Thumbnail
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx

THUMBNAIL_LIMIT = 256 * 1024
#: How files of a type begin. SVG is not among them: it can carry scripts.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)


class ThumbnailInvalid(Invalid):
    """Choose a PNG, JPEG, WebP or GIF picture of at most 256 kB."""

    code = "content/thumbnail-invalid"


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


def _media_type(image: bytes) -> str:
    kind = next((kind for start, at, kind in _BEGINNINGS if image[at : at + len(start)] == start), None)
    if kind is None or len(image) > THUMBNAIL_LIMIT:
        raise ThumbnailInvalid
    return kind
