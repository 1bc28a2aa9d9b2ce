"""The mark of trust: a steward, whom an administrator named, stands up for content with a date and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, Share, require
from pilothouse.base.errors import Conflict
from pilothouse.content.models import Content, Endorsement, Steward
from pilothouse.content.service.prose import prose
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.identity.models import User

WORDS_LIMIT = 300


class OwnEndorsement(Conflict):
    """Nobody endorses what they own. Ask another steward."""

    code = "content/own-endorsement"


def may_endorse(tx: Tx, actor: Principal) -> Resource:
    """What ``require`` needs to know for an endorsement: a steward counts as editor of the trust in all content."""
    is_named = actor.id is not None and tx.get(Steward, actor.id) is not None
    return Resource(users={actor.id: Share.EDITOR} if is_named and actor.id is not None else {})


def stewards(tx: Tx, actor: Principal) -> list[User]:
    """Who may endorse besides administrators, by user name."""
    require(actor, Permission.USER_LIST)
    return list(tx.scalars(select(User).join(Steward, Steward.user_id == User.id).order_by(User.username)))


def name_steward(tx: Tx, actor: Principal, user: User, *, named: bool) -> None:
    """Let a person endorse content, or no longer: what they endorsed stays. Twice is harmless."""
    require(actor, Permission.STEWARD_NAME)
    there = tx.get(Steward, user.id)
    if named == (there is not None):
        return
    if there is not None:
        tx.delete(there)
    else:
        tx.add(Steward(user_id=user.id, named_by_id=actor.id))
    before, after = {"user_id": None if named else user.id}, {"user_id": user.id if named else None}
    record(tx, actor, "content:steward:named", ResourceRef("user", user.id), before=before, after=after)
    tx.flush()


def endorse(tx: Tx, actor: Principal, content: Content, *, words: str) -> Endorsement:
    """Stand up for ``content``; a second time changes date, sentence and steward. Raises `OwnEndorsement`, `ProseInvalid`."""
    require(actor, Permission.CONTENT_ENDORSE, may_endorse(tx, actor))
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    if actor.id is None or actor.id == content.owner_id:
        raise OwnEndorsement
    said, given = prose(words, limit=WORDS_LIMIT, needed=True), tx.get(Endorsement, content.id)
    before = given.user_id if given is not None else None
    if given is None:
        given = Endorsement(content_id=content.id)
        tx.add(given)
    given.user_id, given.words, given.created_at = actor.id, said, clock.now()
    _record(tx, actor, "content:endorsement:granted", content, before, actor.id)
    tx.flush()
    return given


def withdraw(tx: Tx, actor: Principal, content: Content) -> None:
    """Any steward takes an endorsement back; content without one is left as it is."""
    require(actor, Permission.CONTENT_ENDORSE, may_endorse(tx, actor))
    end_endorsement(tx, actor, content)


def end_endorsement(tx: Tx, by: Principal, content: Content) -> None:
    """The endorsement no longer holds: part of what ``by`` was allowed to do to ``content``."""
    given = tx.get(Endorsement, content.id)
    if given is not None:
        _record(tx, by, "content:endorsement:ended", content, given.user_id, None)
        tx.delete(given)
        tx.flush()


def endorsements_of(tx: Tx, contents: Sequence[Content]) -> dict[int, tuple[Endorsement, User]]:
    """Endorsements with their stewards, by content id. For rows that the caller may see."""
    chosen = select(Endorsement, User).join(User, User.id == Endorsement.user_id)
    rows = tx.execute(chosen.where(Endorsement.content_id.in_([row.id for row in contents])))
    return {given.content_id: (given, user) for given, user in rows}


def _record(tx: Tx, actor: Principal, event: str, content: Content, before: int | None, after: int | None) -> None:
    subject = ResourceRef("content", content.id)
    facts = {"before": {"user_id": before}, "after": {"user_id": after}}
    record(tx, actor, event, subject, stage_id=content.stage_id, **facts)
