"""Appending events and reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from pilothouse.audit.contract import AUDITED, EVENTS, Verdict
from pilothouse.audit.models import Event
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.db import Tx


def record(  # noqa: PLR0913 - an event has that many facts
    tx: Tx,
    actor: Principal,
    event: str,
    subject: ResourceRef | None,
    *,
    stage_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append ``event`` in the caller's transaction.

    ``before`` and ``after`` hold the fields concerned; only those that differ are kept, secret ones without values. An
    unknown event, noun or field is a programming error (``KeyError``): see ``contract.py``.
    """
    if event not in EVENTS:
        raise KeyError(f"unknown audit event {event}")
    noun = event.split(":")[1]
    verdicts = AUDITED[{"key": "api_key"}.get(noun, noun)]
    old, new = before or {}, after or {}
    changes: dict[str, Any] = {}
    for name in sorted({*old, *new}):
        verdict = verdicts[name]
        if name in old and name in new and old[name] == new[name]:
            continue
        if verdict is Verdict.TRACK:
            changes[name] = [_plain(old.get(name)), _plain(new.get(name))]
        elif verdict is Verdict.SECRET:
            changes[name] = "changed"
    via = f"key/{actor.key}" if actor.key else f"login/{actor.login}" if actor.login else ""
    kind = "system" if actor.system else "job" if actor.bound_to else "user" if actor.id else "anonymous"
    tx.add(
        Event(
            name=event,
            actor_id=actor.id,
            actor_kind=kind,
            via=via,
            subject_kind=subject.kind if subject else "",
            subject_id=subject.id if subject else None,
            stage_id=stage_id,
            changes=changes,
        )
    )


@dataclass(frozen=True)
class EventQuery:
    """Which events; ``None`` = any. ``before_id`` pages backwards through time. ``limit`` at most 1000."""

    name: str | None = None
    actor_id: int | None = None
    subject: ResourceRef | None = None
    since: datetime | None = None
    until: datetime | None = None
    before_id: int | None = None
    limit: int = 100


def events(tx: Tx, actor: Principal, query: EventQuery = EventQuery()) -> list[Event]:
    """Events, newest first."""
    require(actor, Permission.AUDIT_READ)
    if query.name and not query.name.isprintable():
        return []
    chosen = select(Event).order_by(Event.id.desc()).limit(min(query.limit, 1000))
    if query.name:
        chosen = chosen.where(Event.name.startswith(query.name, autoescape=True))
    if query.actor_id is not None:
        chosen = chosen.where(Event.actor_id == query.actor_id)
    if query.subject is not None:
        chosen = chosen.where(Event.subject_kind == query.subject.kind, Event.subject_id == query.subject.id)
    if query.since is not None:
        chosen = chosen.where(Event.at >= query.since)
    if query.until is not None:
        chosen = chosen.where(Event.at <= query.until)
    if query.before_id is not None:
        chosen = chosen.where(Event.id < query.before_id)
    return list(tx.scalars(chosen))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
