"""Who may open and change content: the access list."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import OpenTo, Permission, Principal, Resource, ResourceRef, Share, require
from pilothouse.content.contract import ContentInvalid, GrantUnknown
from pilothouse.content.models import Access, AccessRequest, Content, Letters, RequestState
from pilothouse.content.service.telling import tell
from pilothouse.db import Tx
from pilothouse.identity.models import Group, User


def resource_of(tx: Tx, content: Content) -> Resource:
    """What ``require`` needs to know of ``content``."""
    return resources_of(tx, [content])[content.id]


def resources_of(tx: Tx, contents: Sequence[Content]) -> dict[int, Resource]:
    """The same for many, with one query."""
    lines: dict[int, list[Access]] = {c.id: [] for c in contents}
    if lines:
        for line in tx.scalars(select(Access).where(Access.content_id.in_(list(lines)))):
            lines[line.content_id].append(line)
    return {
        c.id: Resource(
            ResourceRef("content", c.id),
            owner_id=c.owner_id,
            open_to=OpenTo(c.access_type),
            users={line.user_id: Share(line.share) for line in lines[c.id] if line.user_id is not None},
            groups={line.group_id: Share(line.share) for line in lines[c.id] if line.group_id is not None},
        )
        for c in contents
    }


def share_of(tx: Tx, actor: Principal, content: Content) -> Share:
    """What ``actor`` is to ``content``."""
    return resource_of(tx, content).share_of(actor)


def shares_of(tx: Tx, actor: Principal, contents: Sequence[Content]) -> dict[int, Share]:
    """The same for many, by content id."""
    return {number: resource.share_of(actor) for number, resource in resources_of(tx, contents).items()}


def access_list(tx: Tx, actor: Principal, content: Content) -> list[tuple[Access, User | Group]]:
    """Lines with whom they name, in the order they were made; the owner is not among them."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    rows = tx.scalars(select(Access).where(Access.content_id == content.id).order_by(Access.id)).all()
    users = {u.id: u for u in tx.scalars(select(User).where(User.id.in_([r.user_id for r in rows if r.user_id])))}
    groups = {g.id: g for g in tx.scalars(select(Group).where(Group.id.in_([r.group_id for r in rows if r.group_id])))}
    return [(row, users[row.user_id] if row.user_id else groups[row.group_id or 0]) for row in rows]


def grant(tx: Tx, actor: Principal, content: Content, *, principal: User | Group, share: Share) -> Access:
    """Name a user or group on the list, as viewer or editor; a second call changes the line. Raises `ContentInvalid` for other shares."""
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    _check(share)
    is_user = isinstance(principal, User)
    if is_user and principal.id == content.owner_id:
        raise ContentInvalid("The owner has all rights already. Name somebody else.")
    column = Access.user_id if is_user else Access.group_id
    line = tx.scalar(select(Access).where(Access.content_id == content.id, column == principal.id))
    if line is not None:
        return change_grant(tx, actor, content, line, share=share)
    line = Access(content_id=content.id, share=share.value, **{"user_id" if is_user else "group_id": principal.id})
    tx.add(line)
    tx.flush()
    if is_user:
        _answer_request(tx, actor, content, line)
    after = {"user_id" if is_user else "group_id": principal.id, "share": share.value}
    record(
        tx, actor, "content:access:granted", ResourceRef("content", content.id), stage_id=content.stage_id, after=after
    )
    return line


def grant_of(tx: Tx, content: Content, grant_id: int) -> Access:
    """The line of this id. Raises `GrantUnknown`."""
    line = tx.get(Access, grant_id)
    if line is None or line.content_id != content.id:
        raise GrantUnknown
    return line


def change_grant(tx: Tx, actor: Principal, content: Content, line: Access, *, share: Share) -> Access:
    """Make a line viewer or editor."""
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    _check(share)
    who = _who(line)
    before, line.share = line.share, share.value
    facts = {"before": who | {"share": before}, "after": who | {"share": line.share}}
    record(tx, actor, "content:access:changed", ResourceRef("content", content.id), stage_id=content.stage_id, **facts)
    return line


def revoke_grant(tx: Tx, actor: Principal, content: Content, line: Access) -> None:
    """Take a user or group off the list; it acts at their next page load."""
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    before = _who(line) | {"share": line.share}
    record(
        tx,
        actor,
        "content:access:revoked",
        ResourceRef("content", content.id),
        stage_id=content.stage_id,
        before=before,
    )
    tx.delete(line)


def _who(line: Access) -> dict[str, object]:
    return {"user_id": line.user_id} if line.user_id else {"group_id": line.group_id}


def _answer_request(tx: Tx, actor: Principal, content: Content, line: Access) -> None:
    """Who is let in need not wait for an answer to what they asked."""
    theirs = (AccessRequest.content_id == line.content_id, AccessRequest.user_id == line.user_id)
    for asked in tx.scalars(select(AccessRequest).where(*theirs, AccessRequest.state == RequestState.OPEN)):
        asked.state, asked.share = RequestState.GRANTED.value, line.share
        asked.answered_by_id, asked.answered_at = actor.id, clock.now()
        tell(tx, content, asked.user_id, Letters.REQUEST_ANSWERED, request_id=asked.id)


def _check(share: Share) -> None:
    if share not in (Share.VIEWER, Share.EDITOR):
        raise ContentInvalid("The access list names viewers and editors (the protocol's “owner”).")
