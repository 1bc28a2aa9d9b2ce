"""Who is mailed about what people tell each other, decided in the transaction of the verb. What the mails say: ``content/tasks/letters.py``."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from pilothouse.base.access import Permission, Resource, ResourceRef, Share, may
from pilothouse.content.models import Access, Content, Letters
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.service import mail, principal_of_user, users_of_ids

#: So many people hear of one thing by mail at most.
TOLD_LIMIT = 20


def tell(tx: Tx, content: Content, user_id: int, letter: Letters, **facts: int | None) -> None:
    """Mail one person, if mails reach them."""
    if (user := tx.get(User, user_id)) is not None:
        mail(tx, user, letter.value, facts, about=ResourceRef("content", content.id))


def tell_new_owner(tx: Tx, content: Content, *, by_id: int | None, more: int = 0) -> None:
    """Mail who owns it now, unless they made themselves the owner; ``more`` items came to them with it."""
    if by_id != content.owner_id:
        tell(tx, content, content.owner_id, Letters.HANDED_OVER, content_id=content.id, by_id=by_id, more=more)


def tell_sharers(
    tx: Tx, resource: Resource, content: Content, letter: Letters, *, also: Collection[int] = (), **facts: int | None
) -> None:
    """Mail the owner, the editors who are named themselves, and of ``also`` those who may share it; ``by_id`` knows it already.

    Who is an editor by a group sees it on the home page: a group of 300 people is not mailed.
    """
    named = select(Access.user_id).where(Access.content_id == content.id, Access.share == Share.EDITOR.value)
    chosen = [content.owner_id, *(n for n in tx.scalars(named.order_by(Access.id)) if n is not None), *also]
    found = users_of_ids(tx, chosen)
    for number in list(dict.fromkeys(n for n in chosen if n in found and n != facts.get("by_id")))[:TOLD_LIMIT]:
        if may(principal_of_user(tx, found[number]), Permission.CONTENT_SHARE, resource):
            tell(tx, content, number, letter, **facts)
