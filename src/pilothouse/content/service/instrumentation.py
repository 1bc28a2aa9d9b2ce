"""Single uses of content, walked page by page: visits, open connections, all requests. For programs that make reports of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, or_, select, text, union_all

from pilothouse.base.access import Permission, Principal, Role, Share, may, require
from pilothouse.content.contract import UsageInvalid
from pilothouse.content.models import Access, Content
from pilothouse.content.service.content import get_content
from pilothouse.content.service.sharing import resources_of
from pilothouse.db import Part, Turn, Tx
from pilothouse.gateway.models import NO_HIT, UsageEvent
from pilothouse.gateway.visitors import COUNTS, NAMED
from pilothouse.identity.models import User
from pilothouse.stages import StageRef

VISIT, SOCKET = "visit", "socket"
#: So many items are each read by an index of their own; of more, all use of the stage is walked through.
APART = 100
LONG_AGO = datetime.min.replace(tzinfo=UTC)
#: Clients name no more items at once.
NAMED_LIMIT = 1000


@dataclass(frozen=True)
class UsageWanted:
    """Which use: of ``kind`` (``None`` = every request), of the content of these GUIDs (none = all that the caller may read
    of), begun between two moments, both included."""

    kind: str | None = None
    guids: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class _Position:
    """Of one row in the order of all: when it began, and its number among those of the same moment."""

    at: datetime
    id: int


@dataclass(frozen=True)
class _Walk:
    """From where, which way, and how many rows at most."""

    limit: int
    is_ascending: bool
    start: _Position | None


@dataclass(frozen=True)
class Used:
    """One use, and what of its visitor may be told: a GUID, the browser and the query where the stage names visitors; elsewhere
    a pseudonym or nothing."""

    event: UsageEvent
    content_guid: str
    visitor: str | None
    path: str
    user_agent: str


def usage_page(tx: Tx, actor: Principal, stage: StageRef, *, wanted: UsageWanted, turn: Turn) -> Part[Used]:
    """Uses in the order in which they began. Of named content that ``actor`` may read; without names, of all such content,
    for publishers. Raises `UsageInvalid`, `ContentUnknown`.
    """
    if not wanted.guids:
        require(actor, Permission.USAGE_LIST)
    if wanted.since is not None and wanted.until is not None and wanted.since > wanted.until:
        raise UsageInvalid("The time “from” is after the time “to”. Turn them round.")
    is_backwards = turn.is_last or turn.before is not None
    border = turn.after if turn.before is None else turn.before
    walk = _Walk(turn.limit, turn.ascending != is_backwards, None if turn.is_last else _position(tx, border))
    found = _walked_through(tx, actor, stage, wanted, walk)
    has_more, ids = len(found) > turn.limit, found[: turn.limit]
    if is_backwards:
        ids.reverse()
    return Part(
        _used(tx, stage, ids),
        first=ids[0] if ids else None,
        last=ids[-1] if ids else None,
        has_earlier=has_more if is_backwards else turn.after is not None,
        has_later=turn.before is not None if is_backwards else has_more,
    )


def _position(tx: Tx, number: int | None) -> _Position | None:
    """Where a row stands. One that was swept meanwhile stood before all that are left."""
    if number is None:
        return None
    at = tx.scalar(select(UsageEvent.started_at).where(UsageEvent.id == number))
    return _Position(at or LONG_AGO, number)


def _walked_through(tx: Tx, actor: Principal, stage: StageRef, wanted: UsageWanted, walk: _Walk) -> list[int]:
    """Numbers of rows in the order in which they are walked, one more than fit on the page if there are more."""
    content_ids = _readable(tx, actor, stage, wanted.guids)
    if content_ids is not None and len(content_ids) <= APART:
        if not content_ids:
            return []
        each = [_chosen(_of_content(number), wanted, walk).subquery() for number in content_ids]
        either = union_all(*(select(one.c.id, one.c.started_at) for one in each)).subquery()
        order = _order(either.c.started_at, either.c.id, walk)
        return list(tx.scalars(select(either.c.id).order_by(*order).limit(walk.limit + 1)))
    of_stage = select(UsageEvent.id, UsageEvent.started_at).where(
        UsageEvent.stage_id == stage.id, UsageEvent.subject_kind == "content"
    )
    if content_ids is not None:
        of_stage = of_stage.where(UsageEvent.subject_id.in_(content_ids))
    return list(tx.scalars(_chosen(of_stage, wanted, walk)))


def _of_content(number: int) -> Select[Any, Any]:
    return select(UsageEvent.id, UsageEvent.started_at).where(
        UsageEvent.subject_kind == "content", UsageEvent.subject_id == number
    )


def _chosen(rows: Select[Any, Any], wanted: UsageWanted, walk: _Walk) -> Select[Any, Any]:
    at, number, start = UsageEvent.started_at, UsageEvent.id, walk.start
    if wanted.kind is not None:
        rows = rows.where(UsageEvent.kind == wanted.kind, text(NO_HIT))
    if wanted.since is not None:
        rows = rows.where(at >= wanted.since)
    if wanted.until is not None:
        rows = rows.where(at <= wanted.until)
    if start is not None and walk.is_ascending:
        rows = rows.where(at >= start.at, or_(at > start.at, number > start.id))
    elif start is not None:
        rows = rows.where(at <= start.at, or_(at < start.at, number < start.id))
    return rows.order_by(*_order(at, number, walk)).limit(walk.limit + 1)


def _order(at: Any, number: Any, walk: _Walk) -> tuple[Any, Any]:
    return (at, number) if walk.is_ascending else (at.desc(), number.desc())


def _readable(tx: Tx, actor: Principal, stage: StageRef, guids: Sequence[str]) -> list[int] | None:
    """Ids of the content whose use is asked for; ``None`` for all of the stage, also what was deleted."""
    if guids:
        if len(guids) > NAMED_LIMIT:
            raise UsageInvalid(f"Name at most {NAMED_LIMIT} items at once, or none for all.")
        return _named(tx, actor, stage, guids)
    if actor.has_role(Role.ADMINISTRATOR) and actor.bound_to is None:
        return None
    if actor.stage_id is not None and actor.stage_id != stage.id:
        return []
    named = [Access.user_id == actor.id]
    if actor.groups:
        named.append(Access.group_id.in_(actor.groups))
    edited = select(Access.content_id).where(Access.share == Share.EDITOR.value, or_(*named))
    owned = select(Content.id).where(Content.stage_id == stage.id, Content.deleted_at.is_(None))
    return list(tx.scalars(owned.where(or_(Content.owner_id == actor.id, Content.id.in_(edited)))))


def _named(tx: Tx, actor: Principal, stage: StageRef, guids: Sequence[str]) -> list[int]:
    """All in two queries; one that may not be read is looked at by itself, which says why."""
    rows = {row.guid: row for row in tx.scalars(select(Content).where(Content.guid.in_(guids)))}
    resources = resources_of(tx, list(rows.values()))
    for guid in guids:
        row = rows.get(guid)
        is_here = (
            row is not None and row.stage_id == stage.id == (actor.stage_id or stage.id) and row.deleted_at is None
        )
        if row is None or not is_here or not may(actor, Permission.CONTENT_READ, resources[row.id]):
            get_content(tx, actor, stage, guid, Permission.CONTENT_READ)
    return [row.id for row in rows.values()]


def _used(tx: Tx, stage: StageRef, ids: Sequence[int]) -> list[Used]:
    rows = {row.id: row for row in tx.scalars(select(UsageEvent).where(UsageEvent.id.in_(ids)))}
    guids = _guids(tx, Content, {row.subject_id for row in rows.values()})
    people = _guids(tx, User, {row.principal_id for row in rows.values() if row.principal_id is not None})
    return [
        _told(row, guids.get(row.subject_id, ""), people, stage)
        for number in ids
        if (row := rows.get(number)) is not None  # it may just have been swept
    ]


def _told(row: UsageEvent, content_guid: str, people: Mapping[int, str], stage: StageRef) -> Used:
    """The stage's present word also holds for rows that were written under another one."""
    if stage.usage == NAMED:
        visitor = row.pseudonym if row.principal_id is None else people.get(row.principal_id)
        return Used(row, content_guid, visitor, row.path, row.user_agent)
    return Used(row, content_guid, None if stage.usage == COUNTS else row.pseudonym, row.path.partition("?")[0], "")


def _guids(tx: Tx, noun: type[Content] | type[User], ids: set[int]) -> dict[int, str]:
    return {number: guid for number, guid in tx.execute(select(noun.id, noun.guid).where(noun.id.in_(ids)))}
