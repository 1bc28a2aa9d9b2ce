"""Our own API for the audit trail: ``/api/v1/audit``."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.audit.models import Event
from pilothouse.audit.service import EventQuery, events
from pilothouse.base.access import ResourceRef

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
COLUMNS = ("id", "at", "name", "actor_kind", "actor_id", "via", "subject_kind", "subject_id", "stage_id", "changes")


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
    caller: SignedIn,
    db: Db,
    name: Annotated[str | None, Query(description="Beginning of the event's name, for example `identity:`.")] = None,
    actor_id: int | None = None,
    subject: Annotated[str | None, Query(description="`content/12`", pattern=r"^[a-z_]+/\d+$")] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: Annotated[int | None, Query(description="Only older ones: the last id of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    export: Annotated[Literal["jsonl", "csv"] | None, Query(description="Download instead of JSON.")] = None,
) -> Any:
    """Events, newest first. Ids stand for people; names are looked up in `/users`."""
    kind, _, number = (subject or "").partition("/")
    ref = ResourceRef(kind, int(number)) if number else None
    with db.read() as tx:
        found = [_shown(e) for e in events(tx, caller, EventQuery(name, actor_id, ref, since, until, before_id, limit))]
    if export == "jsonl":
        return _file("\n".join(e.model_dump_json() for e in found) + "\n", "application/x-ndjson", "audit.jsonl")
    return _file(as_csv(found), "text/csv; charset=utf-8", "audit.csv") if export == "csv" else found


def as_csv(found: list[EventShown]) -> str:
    """Comma-separated text; cells that a spreadsheet would take for a formula are made plain text, control characters go."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for event in found:
        values = event.model_dump(mode="json") | {"changes": json.dumps(event.changes, ensure_ascii=True)}
        writer.writerow([_plain(values[name]) for name in COLUMNS])
    return out.getvalue()


def _plain(value: object) -> str:
    text = "".join(c for c in str("" if value is None else value) if c.isprintable())
    return f"'{text}" if text[:1] in "=+-@" and not text.lstrip("-").isdigit() else text


def _file(text: str, media_type: str, name: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _shown(row: Event) -> EventShown:
    return EventShown(**{name: getattr(row, name) for name in COLUMNS})
