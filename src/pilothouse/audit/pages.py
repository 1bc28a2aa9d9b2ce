"""The audit trail as a page: filter, page back, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import frame, page
from pilothouse.audit import service
from pilothouse.audit.contract import EVENTS, People
from pilothouse.audit.models import Event
from pilothouse.base.access import Permission, require

router = APIRouter(prefix="/_/admin/audit", include_in_schema=False)
PAGE_SIZE = 100
VALUE_SHOWN = 120


@dataclass(frozen=True)
class ChangeLine:
    """What became of one field."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class EventLine:
    at: datetime
    name: str
    actor: str
    via: str
    subject: str
    changes: Sequence[ChangeLine]


@dataclass(frozen=True)
class EventsView:
    """One page of events, newest first; ``older`` leads to the next."""

    events: Sequence[EventLine]
    event: str
    who: str
    known: Sequence[str]
    export: str
    older: str = ""
    problem: str = ""


@router.get("")
def show(
    request: Request, caller: SignedIn, db: Db, event: str = "", who: str = "", before: RowId | None = None
) -> Response:
    people: People = request.app.state.people
    path = f"{frame(request).base}/_/admin/audit"
    filters = {k: v for k, v in (("event", event), ("who", who)) if v}
    with db.read() as tx:
        require(caller, Permission.AUDIT_READ)
        actor_id = people.find(tx, who.strip()) if who else None
        unknown = bool(who) and actor_id is None
        chosen = service.AuditFilter(event=event.strip() or None, actor_id=actor_id)
        rows = [] if unknown else service.events(tx, caller, filters=chosen, after=before, limit=PAGE_SIZE)
        names = people.names(tx, [row.actor_id for row in rows if row.actor_id])
    older = f"{path}?{urlencode(filters | {'before': str(rows[-1].id)})}" if len(rows) == PAGE_SIZE else ""
    view = EventsView(
        events=[_line(row, names) for row in rows],
        event=event,
        who=who,
        known=sorted(EVENTS),
        export=f"{path}/export?{urlencode(filters)}",
        older=older,
        problem=f"Nobody has the user name “{who}”." if unknown else "",
    )
    return page(request, "audit/events.html", view=view)


@router.get("/export")
def export(request: Request, caller: SignedIn, db: Db, event: str = "", who: str = "") -> Response:
    """All events that the filter lets through, newest first, as CSV. Rows hold ids, as the trail does."""
    require(caller, Permission.AUDIT_READ)
    people: People = request.app.state.people
    with db.read() as tx:
        actor_id = people.find(tx, who.strip()) if who else None
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "X-Content-Type-Options": "nosniff"}
    chosen = service.AuditFilter(event=event.strip() or None, actor_id=-1 if who and actor_id is None else actor_id)
    lines = service.export(db, caller, filters=chosen, form="csv")
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _line(row: Event, names: Mapping[int, str]) -> EventLine:
    actor = names.get(row.actor_id, f"user/{row.actor_id}") if row.actor_id else row.actor_kind
    subject = f"{row.subject_kind}/{row.subject_id}" if row.subject_kind else ""
    return EventLine(row.at, row.name, actor, row.via.partition("/")[0], subject, _changes(row.changes))


def _changes(changes: Mapping[str, Any]) -> list[ChangeLine]:
    """``{"field": [before, after]}``, or ``"changed"`` for a secret."""
    found = []
    for field, change in changes.items():
        before, after = change if isinstance(change, list) else ("", change)
        found.append(ChangeLine(field, _short(before), _short(after)))
    return found


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}…"
