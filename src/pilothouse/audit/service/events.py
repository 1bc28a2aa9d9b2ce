"""Appending events and reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from pilothouse.audit.contract import AUDITED, EVENTS, Verdict
from pilothouse.audit.models import Event
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, require
from pilothouse.db import Part, Turn, Tx, part_of


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
    via = _via(actor)
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


def _via(actor: Principal) -> str:
    """What the actor proved themselves with."""
    proofs = {"key": actor.key, "token": actor.token, "login": actor.login}
    return next((f"{kind}/{number}" for kind, number in proofs.items() if number), "")


@dataclass(frozen=True)
class AuditFilter:
    """Which events; ``None`` = any.

    ``event`` is the beginning of an event's name. ``about`` is the id of a user: what they did, what was done to them, and what
    they were given or lost; everybody may read what is about them. ``since`` and ``until`` belong to the span.
    """

    event: str | None = None
    actor_id: int | None = None
    subject: ResourceRef | None = None
    about: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def events(
    tx: Tx,
    actor: Principal,
    *,
    filters: AuditFilter = AuditFilter(),
    after: int | None = None,
    limit: int = 100,
) -> list[Event]:
    """Events, newest first, at most 1000. ``after`` is the id of the last event of the page before."""
    wanted = Permission.AUDIT_READ if filters.about is None else Permission.USER_EXPORT
    require(actor, wanted, Resource(owner_id=filters.about))
    if filters.event and not filters.event.isprintable():
        return []
    chosen = select(Event).where(*_conditions(filters)).order_by(Event.id.desc()).limit(min(limit, 1000))
    return list(tx.scalars(chosen if after is None else chosen.where(Event.id < after)))


def part_of_events(tx: Tx, actor: Principal, turn: Turn) -> Part[Event]:
    """One part of the whole trail."""
    require(actor, Permission.AUDIT_READ)
    return part_of(tx, select(Event), Event.id, turn)


def _conditions(filters: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if filters.event:
        yield Event.name.startswith(filters.event, autoescape=True)
    if filters.actor_id is not None:
        yield Event.actor_id == filters.actor_id
    if filters.subject is not None:
        yield and_(Event.subject_kind == filters.subject.kind, Event.subject_id == filters.subject.id)
    if filters.about is not None:
        yield or_(*_about(filters.about))
    if filters.since is not None:
        yield Event.at >= filters.since
    if filters.until is not None:
        yield Event.at <= filters.until


def _about(user_id: int) -> Iterator[ColumnElement[bool]]:
    yield Event.actor_id == user_id
    yield and_(Event.subject_kind == "user", Event.subject_id == user_id)
    for field, side in product(("user_id", "owner_id"), (0, 1)):  # before and after
        yield Event.changes[(field, side)].as_string() == str(user_id)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
