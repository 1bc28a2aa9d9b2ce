"""What this room holds about a person, and what becomes of it when they are erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, or_, select

from pilothouse.base.access import Permission, Principal, require
from pilothouse.content.contract import ContentInvalid, OwnerNeeded
from pilothouse.content.models import (
    Access,
    AccessRequest,
    Bundle,
    Content,
    Deployment,
    Endorsement,
    Favourite,
    HandOver,
    ImageAccess,
    Steward,
    Thread,
    ThreadMessage,
)
from pilothouse.content.service.handing import hand_over_each
from pilothouse.content.service.sharing import revoke_grant
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service import facts_of_row, resource_of_user

NAMES_SHOWN = 5


def personal_content(tx: Tx, actor: Principal, user: User) -> dict[str, Any]:
    """Content they own or once owned, what they may open or keep at hand, what they uploaded and activated."""
    require(actor, Permission.USER_EXPORT, resource_of_user(user))
    owned = select(Content).where(Content.owner_id == user.id).order_by(Content.id)
    access = select(Access).where(Access.user_id == user.id).order_by(Access.id)
    bundles = select(Bundle).where(Bundle.created_by_id == user.id).order_by(Bundle.id)
    deployments = select(Deployment).where(Deployment.actor_id == user.id).order_by(Deployment.id)
    favourites = select(Favourite).where(Favourite.user_id == user.id).order_by(Favourite.content_id)
    asked = select(AccessRequest).where(AccessRequest.user_id == user.id).order_by(AccessRequest.id)
    threads = select(Thread).where(Thread.user_id == user.id).order_by(Thread.id)
    messages = select(ThreadMessage).where(ThreadMessage.author_id == user.id).order_by(ThreadMessage.id)
    endorsed = select(Endorsement).where(Endorsement.user_id == user.id).order_by(Endorsement.content_id)
    given = or_(*(column == user.id for column in (HandOver.from_owner_id, HandOver.to_owner_id, HandOver.by_id)))
    images = select(ImageAccess).where(ImageAccess.user_id == user.id).order_by(ImageAccess.id)
    return {
        "content": [facts_of_row(row) for row in tx.scalars(owned)],
        "access": [facts_of_row(row) for row in tx.scalars(access)],
        "bundles": [facts_of_row(row) | {"sha256": row.digest} for row in tx.scalars(bundles)],
        "deployments": [facts_of_row(row) for row in tx.scalars(deployments)],
        "favourites": [facts_of_row(row) for row in tx.scalars(favourites)],
        "access_requests": [facts_of_row(row) for row in tx.scalars(asked)],
        "questions": [facts_of_row(row) for row in tx.scalars(threads)],
        "endorsements": [facts_of_row(row) for row in tx.scalars(endorsed)],
        "stewardship": [facts_of_row(row) for row in tx.scalars(select(Steward).where(Steward.user_id == user.id))],
        "messages": [facts_of_row(row) for row in tx.scalars(messages)],
        "hand_overs": [facts_of_row(row) for row in tx.scalars(select(HandOver).where(given))],
        "images": [facts_of_row(row) for row in tx.scalars(images)],
    }


def leave_content(tx: Tx, actor: Principal, user: User, *, to: User | None) -> int:
    """Before somebody is erased: ``to`` owns what they owned, and no access list names them any more. Returns how many items moved.

    A name that ``to`` has already is made another. Raises `OwnerNeeded` if they own something and nobody takes it over.
    """
    require(actor, Permission.USER_ERASE)
    owned = tx.scalars(select(Content).where(Content.owner_id == user.id, Content.deleted_at.is_(None))).all()
    if owned and to is None:
        raise OwnerNeeded(_owns(user, owned))
    if to is not None and to.id == user.id:
        raise ContentInvalid("Who is erased can't take over their own content. Name somebody else.")
    if to is not None:
        hand_over_each(tx, actor, owned, to=to)
    for line, content in tx.execute(select(Access, Content).join(Content).where(Access.user_id == user.id)).all():
        revoke_grant(tx, actor, content, line)
    _forget_words(tx, user)
    tx.execute(delete(ImageAccess).where(ImageAccess.user_id == user.id))
    return len(owned)


def _forget_words(tx: Tx, user: User) -> None:
    """What they kept at hand, asked for and wrote; what others wrote to them goes with it."""
    tx.execute(delete(Favourite).where(Favourite.user_id == user.id))
    tx.execute(delete(AccessRequest).where(AccessRequest.user_id == user.id))
    begun = select(Thread.id).where(Thread.user_id == user.id)
    tx.execute(delete(ThreadMessage).where(or_(ThreadMessage.author_id == user.id, ThreadMessage.thread_id.in_(begun))))
    tx.execute(delete(Thread).where(Thread.user_id == user.id))
    tx.execute(delete(Endorsement).where(Endorsement.user_id == user.id))
    tx.execute(delete(Steward).where(Steward.user_id == user.id))


def _owns(user: User, owned: Sequence[Content]) -> str:
    names = ", ".join(f"“{content.title or content.name}”" for content in owned[:NAMES_SHOWN])
    more = f" and {len(owned) - NAMES_SHOWN} more" if len(owned) > NAMES_SHOWN else ""
    return f"{user.username} owns {names}{more}. Name a publisher who takes that over, or delete it first."
