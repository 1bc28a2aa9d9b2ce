"""Addresses people can remember: ``/sales/report/`` leads to one content, as ``/content/{guid}/`` does (connect-wire-api §2.2, §5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, may, require
from pilothouse.content.contract import VanityInvalid, VanityTaken, VanityUnknown
from pilothouse.content.models import VANITY_LIMIT, Content, Vanity
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Database, Tx, Watch
from pilothouse.stages import RESERVED, Stage

SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class VanityPaths:
    """Which content a path leads to, from memory. Safe to call from several threads."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database, self._watch = database, watch
        self._known: tuple[int, dict[tuple[int, str], int]] = (-1, {})

    def find(self, stage_id: int, path: str) -> tuple[int, str] | None:
        """The content's id and its vanity path, where ``path`` (after the stage's prefix) is at or below one; else ``None``."""
        known = self._all()
        end = path.find("/", 1)
        while end > 0:
            if (number := known.get((stage_id, path[: end + 1]))) is not None:
                return number, path[: end + 1]
            end = path.find("/", end + 1)
        number = known.get((stage_id, f"{path}/"))
        return None if number is None else (number, f"{path}/")

    def guid(self, stage_id: int, path: str) -> str | None:
        """The GUID of the content that `find` finds."""
        found = self.find(stage_id, path)
        with self._database.read() as tx:
            return tx.scalar(select(Content.guid).where(Content.id == found[0])) if found else None

    def _all(self) -> dict[tuple[int, str], int]:
        epoch = self._watch.epoch(Vanity.topic)
        if epoch != self._known[0]:
            with self._database.read() as tx:
                rows = tx.execute(select(Vanity.stage_id, Vanity.path, Vanity.content_id)).all()
            self._known = epoch, {(stage_id, path): content_id for stage_id, path, content_id in rows}
        return self._known[1]


def vanity_of(tx: Tx, actor: Principal, content: Content) -> Vanity:
    """The vanity path of ``content``. Raises `VanityUnknown` if it has none."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    row = _row(tx, content)
    if row is None:
        raise VanityUnknown
    return row


def vanity_paths(tx: Tx, contents: Sequence[Content]) -> dict[int, str]:
    """The vanity paths of content that somebody was shown, by content id; those without one are left out."""
    numbers = [c.id for c in contents]
    rows = tx.scalars(select(Vanity).where(Vanity.content_id.in_(numbers)))
    return {row.content_id: row.path for row in rows}


def set_vanity(tx: Tx, actor: Principal, content: Content, *, path: str, force: bool = False) -> Vanity:
    """Let ``path`` (below the stage, slashes around it may be missing) lead to ``content``; it replaces the one it had.

    Raises `VanityInvalid` for a path that can't be one, and `VanityTaken` if it is, contains or lies below the path of
    another content. With ``force`` the very same path is taken from a content that ``actor`` may change as well.
    """
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    wanted = _normalised(path)
    tx.execute(
        select(Stage.id).with_for_update()
    )  # one at a time: two paths that contain each other must not both pass
    _check_words(tx, wanted)
    for other in tx.scalars(select(Vanity).where(Vanity.stage_id == content.stage_id)):
        if other.content_id != content.id and _collide(other.path, wanted):
            _make_room(tx, actor, other, wanted, force=force)
    row = _row(tx, content)
    before = {"path": row.path} if row else None
    if row is None:
        row = Vanity(content_id=content.id, stage_id=content.stage_id)
        tx.add(row)
    row.path = wanted
    tx.flush()
    _record(tx, actor, "content:vanity:changed", content, before=before, after={"path": wanted})
    return row


def clear_vanity(tx: Tx, actor: Principal, content: Content) -> None:
    """Take the vanity path away; content without one is left as it is."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    row = _row(tx, content)
    if row is not None:
        _remove(tx, actor, content, row)


def _make_room(tx: Tx, actor: Principal, other: Vanity, wanted: str, *, force: bool) -> None:
    holder = tx.get(Content, other.content_id)
    if holder is None or not force or other.path != wanted:
        leads = "other content"
        if holder is not None and may(actor, Permission.CONTENT_VIEW, resource_of(tx, holder)):
            leads = f"“{holder.title or holder.name}”"
        clash = f"leads to {leads} already" if other.path == wanted else f"clashes with {other.path}, which leads to {leads}"  # fmt: skip
        raise VanityTaken(f"The path {wanted} {clash}. Choose another path.")
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, holder))
    _remove(tx, actor, holder, other)


def _remove(tx: Tx, actor: Principal, content: Content, row: Vanity) -> None:
    _record(tx, actor, "content:vanity:cleared", content, before={"path": row.path})
    tx.delete(row)
    tx.flush()


def _row(tx: Tx, content: Content) -> Vanity | None:
    return tx.scalar(select(Vanity).where(Vanity.content_id == content.id))


def _normalised(path: str) -> str:
    segments = path.strip("/").split("/")
    if len(path) > VANITY_LIMIT - 2 or not all(SEGMENT.fullmatch(segment) for segment in segments):
        raise VanityInvalid(
            f"“{path[:80]}” can't be a path: words of letters, digits, “.”, “_” and “-” with slashes between them, "
            f"at most {VANITY_LIMIT - 2} characters in all, for example sales/report."
        )
    return f"/{'/'.join(segments)}/"


def _check_words(tx: Tx, path: str) -> None:
    """Refuse what leads somewhere else already: our own words, the stages' keys and where they live."""
    first = path.strip("/").split("/")[0].lower()
    if first in RESERVED:
        raise VanityInvalid(f"“{first}” is a word of our own and can't begin a path. Choose another one.")
    for stage in tx.scalars(select(Stage).where(Stage.retired_at.is_(None))):
        taken = {stage.key.lower(), stage.path.strip("/").split("/")[0].lower()}
        if first in taken:
            raise VanityInvalid(f"“{first}” leads to the stage {stage.title}. Choose another path.")


def _collide(one: str, other: str) -> bool:
    """Whether one is the other or lies below it; capital letters make no difference, because people don't see one."""
    one, other = one.lower(), other.lower()
    return one.startswith(other) or other.startswith(one)


def _record(
    tx: Tx,
    actor: Principal,
    event: str,
    content: Content,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    subject = ResourceRef("content", content.id)
    record(tx, actor, event, subject, stage_id=content.stage_id, before=before or {}, after=after or {})
