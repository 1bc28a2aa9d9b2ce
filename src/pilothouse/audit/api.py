"""Our own API for the audit trail: ``/api/v1/audit``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.audit.contract import People
from pilothouse.audit.service import AuditFilter, events, facts_of
from pilothouse.audit.service import export as export_of
from pilothouse.base.access import Permission, ResourceRef, require
from pilothouse.base.errors import NotFound
from pilothouse.db import Database

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class ActorUnknown(NotFound):
    """Nobody has this user name. Deleted people are found by the number that the events hold."""

    code = "audit/actor-unknown"


class EventShown(BaseModel):
    id: int
    at: datetime
    name: str
    actor_kind: str
    actor_id: int | None
    via: str
    subject_kind: str
    subject_id: int | None
    stage_id: int | None
    changes: dict[str, Any]


@router.get("/events", response_model=list[EventShown])
def list_events(
    request: Request,
    caller: SignedIn,
    db: Db,
    name: Annotated[str | None, Query(description="Beginning of the event's name, for example `identity:`.")] = None,
    actor: Annotated[str | None, Query(description="User name of who did it.")] = None,
    actor_id: RowId | None = None,
    subject: Annotated[str | None, Query(description="`content/12`", pattern=r"^[a-z_]+/[0-9]{1,18}$")] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    before_id: Annotated[RowId | None, Query(description="Only older ones: the last id of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    export: Annotated[
        Literal["jsonl", "csv"] | None, Query(description="Download all that fit, whatever `limit` says.")
    ] = None,
) -> Any:
    """Events, newest first. Ids stand for people; names are looked up in `/users`."""
    require(caller, Permission.AUDIT_READ)
    kind, _, number = (subject or "").partition("/")
    ref = ResourceRef(kind, int(number)) if number else None
    if actor is not None:
        actor_id = _id_of(db, request.app.state.people, actor)
    filters = AuditFilter(name, actor_id, ref, since=since, until=until)
    if export is not None:
        lines = export_of(db, caller, filters=filters, form=export)
        headers = {"Content-Disposition": f'attachment; filename="audit.{export}"', "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(lines, media_type=FORMS[export], headers=headers)
    with db.read() as tx:
        found = events(tx, caller, filters=filters, after=before_id, limit=limit)
        return [EventShown(**facts_of(event)) for event in found]


def _id_of(database: Database, people: People, username: str) -> int:
    with database.read() as tx:
        found = people.find(tx, username.strip())
    if found is None:
        raise ActorUnknown(
            f"Nobody has the user name “{username[:64]}”. Deleted people are found by the number that events hold."
        )
    return found
