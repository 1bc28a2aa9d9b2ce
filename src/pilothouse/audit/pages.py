"""The audit trail as a page: filter, page back, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import frame, page
from pilothouse.audit import service
from pilothouse.audit.contract import EVENTS, People
from pilothouse.audit.models import Event
from pilothouse.base.access import Permission, ResourceRef, require
from pilothouse.base.errors import Invalid
from pilothouse.db import Tx

router = APIRouter(prefix="/_/admin/audit", include_in_schema=False)
PAGE_SIZE = 100
VALUE_SHOWN = 120
NUMBER_LIMIT = 19


class FilterInvalid(Invalid):
    """The filter of the audit trail is not valid. Go back and correct it."""

    code = "audit/filter-invalid"


@dataclass(frozen=True)
class ChangeLine:
    """What became of one field."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class EventLine:
    """One event. ``who`` and ``about`` lead to the events of the same person and of the same thing."""

    at: datetime
    name: str
    actor: str
    via: str
    subject: str
    changes: Sequence[ChangeLine]
    who: str = ""
    about: str = ""


class Wanted(BaseModel):
    """The filter as the form sends it; empty means any. Days are in UTC, both belong to the span."""

    event: str = ""
    who: str = ""
    about: str = ""
    since: str = ""
    until: str = ""

    def given(self, **changes: str) -> dict[str, str]:
        """What was filled in, for an address."""
        return {name: value for name, value in (self.model_dump() | changes).items() if value}


@dataclass(frozen=True)
class EventsView:
    """One page of events, newest first; ``older`` leads to the next."""

    events: Sequence[EventLine]
    wanted: Wanted
    known: Sequence[str]
    export: str
    older: str = ""
    problem: str = ""


@router.get("")
def show(
    request: Request, caller: SignedIn, db: Db, wanted: Annotated[Wanted, Depends()], before: RowId | None = None
) -> Response:
    require(caller, Permission.AUDIT_READ)
    people: People = request.app.state.people
    path = f"{frame(request).base}/_/admin/audit"
    with db.read() as tx:
        chosen, problem = _filter(tx, people, wanted)
        rows = service.events(tx, caller, filters=chosen, after=before, limit=PAGE_SIZE) if chosen else []
        names = people.names(tx, [row.actor_id for row in rows if row.actor_id])
    more = wanted.given() | {"before": str(rows[-1].id)} if len(rows) == PAGE_SIZE else {}
    view = EventsView(
        events=[_line(row, names, wanted, path) for row in rows],
        wanted=wanted,
        known=sorted(EVENTS),
        export=f"{path}/export?{urlencode(wanted.given())}",
        older=f"{path}?{urlencode(more)}" if more else "",
        problem=problem,
    )
    return page(request, "audit/events.html", view=view)


@router.get("/export")
def export(
    request: Request,
    caller: SignedIn,
    db: Db,
    wanted: Annotated[Wanted, Depends()],
    form: Literal["csv", "jsonl"] = "csv",
) -> Response:
    """All events that the filter lets through, newest first. Rows hold ids, as the trail does."""
    require(caller, Permission.AUDIT_READ)
    with db.read() as tx:
        chosen, problem = _filter(tx, request.app.state.people, wanted)
    if chosen is None:
        raise FilterInvalid(problem)
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"', "X-Content-Type-Options": "nosniff"}
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl"
    return StreamingResponse(service.export(db, caller, filters=chosen, form=form), media_type=kind, headers=headers)


def _filter(tx: Tx, people: People, wanted: Wanted) -> tuple[service.AuditFilter | None, str]:
    """The filter, or ``None`` and the sentence that says what is wrong with it."""
    actor_id = people.find(tx, wanted.who.strip()) if wanted.who else None
    if wanted.who and actor_id is None:
        return None, f"Nobody has the user name “{wanted.who}”."
    kind, _, number = wanted.about.strip().partition("/")
    if wanted.about and not (kind and number.isascii() and number.isdigit() and len(number) < NUMBER_LIMIT):
        return None, "What it is about is written as kind and number, such as content/4. Click one in the list."
    try:
        since = _day(wanted.since) if wanted.since else None
        until = _day(wanted.until) + timedelta(days=1, microseconds=-1) if wanted.until else None
    except (ValueError, OverflowError):
        return None, "A day is written as 2026-03-31."
    subject = ResourceRef(kind, int(number)) if wanted.about else None
    event = wanted.event.strip() or None
    return service.AuditFilter(event=event, actor_id=actor_id, subject=subject, since=since, until=until), ""


def _day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)


def _line(row: Event, names: Mapping[int, str], wanted: Wanted, path: str) -> EventLine:
    name = names.get(row.actor_id) if row.actor_id else None
    actor = name or (f"user/{row.actor_id}" if row.actor_id else row.actor_kind)
    subject = f"{row.subject_kind}/{row.subject_id}" if row.subject_kind else ""
    return EventLine(
        row.at,
        row.name,
        actor,
        row.via.partition("/")[0],
        subject,
        _changes(row.changes),
        who=f"{path}?{urlencode(wanted.given(who=name))}" if name else "",
        about=f"{path}?{urlencode(wanted.given(about=subject))}" if subject else "",
    )


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
