"""Requests for access: who may not open content asks, who shares it answers, both read it on their home pages and by mail."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, func, or_, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, Share, may, require
from pilothouse.base.errors import Conflict, NotFound
from pilothouse.base.ids import is_guid
from pilothouse.content.contract import ContentUnknown
from pilothouse.content.models import Access, AccessRequest, Content, Letters, RequestState
from pilothouse.content.service.prose import prose
from pilothouse.content.service.sharing import grant, resource_of
from pilothouse.content.service.telling import tell, tell_sharers
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.stages import StageRef

WORDS_LIMIT = 500
OPEN_LIMIT = 20
SHOWN = 50


class RequestUnknown(NotFound):
    """There is no such request, or it is not for you to answer."""

    code = "content/request-unknown"


class RequestAnswered(Conflict):
    """Somebody has answered this request already."""

    code = "content/request-answered"


class TooManyRequests(Conflict):
    """You asked for many things already. Wait for an answer, or write to an owner."""

    code = "content/too-many-requests"


class AccessThere(Conflict):
    """You may open it already."""

    code = "content/access-there"


def content_to_ask_for(tx: Tx, actor: Principal, stage: StageRef, guid: str) -> tuple[Content, User | None]:
    """The content of this GUID and its owner, also for who may not open it: so much the refusal told them. Raises `ContentUnknown`."""
    require(actor, Permission.REQUEST_MAKE)
    row = tx.scalar(select(Content).where(Content.guid == guid)) if is_guid(guid) else None
    if row is None or row.deleted_at is not None or row.stage_id != stage.id:
        raise ContentUnknown(f"There is no content {guid} here.")
    return row, tx.get(User, row.owner_id)


def ask_for_access(tx: Tx, actor: Principal, content: Content, *, words: str = "") -> AccessRequest:
    """Ask whoever shares ``content`` to let one in. While that is open, asking again changes its words.

    Raises `AccessThere`, `TooManyRequests`, `ProseInvalid`.
    """
    require(actor, Permission.REQUEST_MAKE)
    resource = resource_of(tx, content)
    if may(actor, Permission.CONTENT_VIEW, resource):
        raise AccessThere
    said = prose(words, limit=WORDS_LIMIT)
    asked = open_request(tx, actor, content)
    if asked is not None:
        asked.words = said
        return asked
    mine = (AccessRequest.user_id == actor.id, AccessRequest.state == RequestState.OPEN)
    if (tx.scalar(select(func.count()).select_from(AccessRequest).where(*mine)) or 0) >= OPEN_LIMIT:
        raise TooManyRequests
    asked = AccessRequest(content_id=content.id, user_id=actor.id or 0, words=said)
    tx.add(asked)
    tx.flush()
    subject, after = ResourceRef("content", content.id), {"user_id": actor.id, "state": RequestState.OPEN.value}
    record(tx, actor, "content:request:created", subject, stage_id=content.stage_id, after=after)
    tell_sharers(tx, resource, content, Letters.REQUEST_MADE, request_id=asked.id, by_id=actor.id)
    return asked


def open_request(tx: Tx, actor: Principal, content: Content) -> AccessRequest | None:
    """What ``actor`` asked for and nobody has answered yet."""
    require(actor, Permission.REQUEST_MAKE)
    mine = (AccessRequest.content_id == content.id, AccessRequest.user_id == actor.id)
    return tx.scalar(select(AccessRequest).where(*mine, AccessRequest.state == RequestState.OPEN))


def requests_of(tx: Tx, actor: Principal, content: Content) -> list[tuple[AccessRequest, User]]:
    """Open requests for ``content`` with who asked, oldest first."""
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    chosen = _open().where(AccessRequest.content_id == content.id)
    return [(row, user) for row, user, _ in tx.execute(chosen)]


def requests_to_answer(tx: Tx, actor: Principal) -> list[tuple[AccessRequest, User, Content]]:
    """Open requests for what ``actor`` owns or may change, in all stages, oldest first. Administrators are not asked for others."""
    if not may(actor, Permission.CONTENT_CREATE) or actor.id is None or actor.bound_to is not None:
        return []
    named = or_(Access.user_id == actor.id, Access.group_id.in_(actor.groups))
    edited = select(Access.content_id).where(named, Access.share == Share.EDITOR.value)
    chosen = _open().where(or_(Content.owner_id == actor.id, Content.id.in_(edited))).limit(SHOWN)
    return [(row, user, content) for row, user, content in tx.execute(chosen)]


def request_of(tx: Tx, content: Content, number: int) -> AccessRequest:
    """The request of this number. Raises `RequestUnknown`."""
    found = tx.get(AccessRequest, number)
    if found is None or found.content_id != content.id:
        raise RequestUnknown
    return found


def answer_request(
    tx: Tx, actor: Principal, content: Content, asked: AccessRequest, *, share: Share | None, words: str = ""
) -> AccessRequest:
    """Let somebody in as viewer or editor, or (``None``) not, with a word to them. Raises `RequestAnswered`, `ProseInvalid`."""
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    if asked.state != RequestState.OPEN:
        raise RequestAnswered
    said, user = prose(words, limit=WORDS_LIMIT), tx.get(User, asked.user_id)
    if user is None or user.deleted_at is not None:
        raise RequestUnknown("Whoever asked is no longer here.")
    asked.state = RequestState.GRANTED.value if share is not None else RequestState.REFUSED.value
    asked.share, asked.answer = share.value if share is not None else None, said
    asked.answered_by_id, asked.answered_at = actor.id, clock.now()
    tx.flush()
    if share is not None:
        grant(tx, actor, content, principal=user, share=share)
    tell(tx, content, user.id, Letters.REQUEST_ANSWERED, request_id=asked.id)
    subject = ResourceRef("content", content.id)
    before, after = {"state": RequestState.OPEN.value}, {"state": asked.state, "user_id": asked.user_id}
    record(tx, actor, "content:request:answered", subject, stage_id=content.stage_id, before=before, after=after)
    return asked


def requests_made(tx: Tx, actor: Principal) -> Sequence[tuple[AccessRequest, Content, User | None]]:
    """What ``actor`` asked for: what is open, and the answers they have not put away yet, each with its owner; newest first."""
    require(actor, Permission.REQUEST_MAKE)
    waits = or_(AccessRequest.state == RequestState.OPEN, AccessRequest.seen_at.is_(None))
    mine = (AccessRequest.user_id == actor.id, waits, Content.deleted_at.is_(None))
    chosen = select(AccessRequest, Content, User).join(Content, Content.id == AccessRequest.content_id)
    chosen = chosen.outerjoin(User, User.id == Content.owner_id).where(*mine).order_by(AccessRequest.id.desc())
    return [(row, content, owner) for row, content, owner in tx.execute(chosen.limit(SHOWN))]


def put_away_request(tx: Tx, actor: Principal, number: int) -> None:
    """No longer show the answer to one's own request, or take back what nobody has answered. Raises `RequestUnknown`."""
    require(actor, Permission.REQUEST_MAKE)
    found = tx.get(AccessRequest, number)
    if found is None or found.user_id != actor.id:
        raise RequestUnknown
    if found.state == RequestState.OPEN:
        tx.delete(found)
    else:
        found.seen_at = found.seen_at or clock.now()


def _open() -> Select[AccessRequest, User, Content]:
    chosen = select(AccessRequest, User, Content).join(User, User.id == AccessRequest.user_id)
    alive = (AccessRequest.state == RequestState.OPEN, Content.deleted_at.is_(None), User.deleted_at.is_(None))
    return chosen.join(Content, Content.id == AccessRequest.content_id).where(*alive).order_by(AccessRequest.id)
