"""Everything that is held about one person, in all rooms: handed out as one document, or erased (GDPR articles 15, 17 and 20)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import select

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.audit.service import AuditFilter, events, facts_of
from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.content import service as content
from pilothouse.db import Database, Tx
from pilothouse.gateway.models import UsageEvent
from pilothouse.identity import service as identity
from pilothouse.identity.service import facts_of_row
from pilothouse.integrations.service import leave_delegations, personal_delegations
from pilothouse.tasks.models import Task
from pilothouse.web.models import Announcement

router = APIRouter(prefix="/api/v1/personal-data", tags=["personal data"])
FORMAT = 1
PAGE = 500
#: Of a task: not the internals of the queue.
TASK_FACTS = ("id", "key", "kind", "state", "subject_kind", "subject_id", "created_at", "started_at", "ended_at")

#: Rows of one kind about a person, from the newest down: those after an id, at most `PAGE`, each with its id.
Page = Callable[[Tx, int | None], list[dict[str, Any]]]


class Erased(BaseModel):
    """``erased`` is false where there was nothing left to erase; ``content_moved`` counts items."""

    guid: str
    erased: bool
    content_moved: int


@router.get("/{who}", response_class=StreamingResponse, responses={200: {"content": {"application/json": {}}}})
def export(who: str, caller: SignedIn, db: Db) -> StreamingResponse:
    """All that is held about a person (user name or GUID, also a locked or deleted one), as one JSON document without secrets.

    Everybody may have their own, administrators anybody's.
    """
    pieces = document(db, caller, who)
    headers = {"Content-Disposition": 'attachment; filename="personal-data.json"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(pieces, media_type="application/json", headers=headers | {"Cache-Control": "no-store"})


@router.delete("/{who}")
def erase(
    who: str,
    caller: SignedIn,
    db: Db,
    content_to: Annotated[
        str | None, Query(description="User name or GUID of the publisher who takes over what they own.")
    ] = None,
) -> Erased:
    """Erase a person (user name or GUID, also a locked or deleted one). It can't be undone; a second call changes nothing.

    Their names, mail, logins, keys and memberships go; their number stays in the audit trail and in statistics of use.
    """
    with db.write() as tx:
        user = identity.any_user(tx, who)
        heir = identity.any_user(tx, content_to) if content_to else None
        moved = content.leave_content(tx, caller, user, to=heir)
        leave_delegations(tx, user.id)  # each row of `Delegation` about them
        return Erased(guid=user.guid, erased=identity.erase_user(tx, caller, user), content_moved=moved)


def document(database: Database, actor: Principal, who: str) -> Iterator[str]:
    """The text of the document, in pieces: lists that may be long are read page by page, in transactions of their own.

    Permission is asked for at once, not at the first piece.
    """
    with database.write() as tx:
        user = identity.any_user(tx, who)
        head = {"format": FORMAT, "exported_at": clock.now()} | identity.personal_data(tx, actor, user)
        head |= content.personal_content(tx, actor, user)
        made = select(Announcement).where(Announcement.created_by_id == user.id).order_by(Announcement.id)
        head["announcements"] = [facts_of_row(row) for row in tx.scalars(made)]
        head["delegations"] = [facts_of_row(row, ("sealed",)) for row in personal_delegations(tx, user.id)]
        number = user.id
    pages = {"tasks": _tasks(number), "usage": _usage(number), "audit": _audit(actor, number)}
    return _pieces(database, head, pages)


def _pieces(database: Database, head: dict[str, Any], pages: dict[str, Page]) -> Iterator[str]:
    yield json.dumps(jsonable_encoder(head), indent=1).removesuffix("\n}")
    for name, page in pages.items():
        yield f",\n {json.dumps(name)}: ["
        separator = "\n  "
        for facts in _every(database, page):
            yield separator + json.dumps(jsonable_encoder(facts))
            separator = ",\n  "
        yield "]"
    yield "\n}\n"


def _every(database: Database, page: Page) -> Iterable[dict[str, Any]]:
    after: int | None = None
    while True:
        with database.read() as tx:
            found = page(tx, after)
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1]["id"]


def _audit(actor: Principal, number: int) -> Page:
    chosen = AuditFilter(about=number)
    return lambda tx, after: [facts_of(e) for e in events(tx, actor, filters=chosen, after=after, limit=PAGE)]


def _usage(number: int) -> Page:
    chosen = select(UsageEvent).where(UsageEvent.principal_id == number).order_by(UsageEvent.id.desc()).limit(PAGE)
    return lambda tx, after: [
        facts_of_row(row) for row in tx.scalars(chosen if after is None else chosen.where(UsageEvent.id < after))
    ]


def _tasks(number: int) -> Page:
    chosen = select(Task).where(Task.actor_id == number).order_by(Task.id.desc()).limit(PAGE)
    return lambda tx, after: [
        {name: getattr(row, name) for name in TASK_FACTS}
        for row in tx.scalars(chosen if after is None else chosen.where(Task.id < after))
    ]
