"""The audit trail on the wire (connect-wire-api §2.3, §3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pilothouse.asgi.context import SignedIn
from pilothouse.asgi.paging import cursor_page, turns
from pilothouse.audit.models import Event
from pilothouse.audit.service import part_of_events
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.connect_api.shapes import moment
from pilothouse.db import Turn
from pilothouse.identity import service as people
from pilothouse.identity.models import User

router = APIRouter()


@router.get("/v1/audit_logs")
def audit_logs(
    request: Request,
    caller: SignedIn,
    stage: StageOf,
    wire: WireOf,
    turn: Annotated[Turn, Depends(turns(order="ascOrder"))],
) -> dict[str, Any]:
    with wire.database.read() as tx:
        part = part_of_events(tx, caller, turn)
        known = people.users_of_ids(tx, {event.actor_id for event in part.rows if event.actor_id is not None})
        return cursor_page(request, f"{wire.public_url(stage.id)}/__api__", part, lambda event: _shown(event, known))


def _shown(event: Event, known: Mapping[int, User]) -> dict[str, Any]:
    """Names are looked up now, so that who was erased has none."""
    who = known.get(event.actor_id or 0)
    subject = f" {event.subject_kind} {event.subject_id}" if event.subject_id is not None else ""
    room, thing, verb = event.name.split(":")
    return {
        "id": str(event.id),
        "time": moment(event.at),
        "user_id": str(event.actor_id) if event.actor_id is not None else None,
        "user_guid": who.guid if who else None,
        "user_description": who.display_name if who and not who.is_erased else event.actor_kind,
        "action": event.name,
        "event_description": f"{thing} {verb.replace('-', ' ')}{subject or f' ({room})'}",
    }
