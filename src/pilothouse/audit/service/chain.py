"""The chain: each seal is a MAC over an event and the seal before it, with a key that is not in the database (SECURITY 21)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Select, func, select, text

from pilothouse.audit.contract import AuditSink, Head
from pilothouse.audit.models import Event, Seal
from pilothouse.base import clock
from pilothouse.db import Database, Tx

GENESIS = "0" * 64
BATCH = 1000
LOCK = 0x61756469
HEADS = "audit-head"


@dataclass(frozen=True)
class Report:
    """What `verify` found. ``problems`` are sentences; none = intact. ``unsealed`` events are younger than a second or so."""

    sealed: int
    unsealed: int
    problems: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return not self.problems


def seal(database: Database, key: bytes, sink: AuditSink) -> int:
    """Chain all events that are not sealed yet, in the order of their ids, and give the new head to ``sink``.

    Returns how many. Several servers may call it at once: one does the work. An event whose transaction committed late is
    sealed by the next call; the order of the chain is the order of sealing, not of ids.
    """
    with database.read() as tx:
        if tx.scalar(_unsealed().limit(1)) is None:
            return 0
    with database.write() as tx:
        if not database.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        last = tx.scalar(select(Seal).order_by(Seal.number.desc()).limit(1))
        number, mac = (last.number, last.mac) if last else (0, GENESIS)
        waiting = list(tx.scalars(_unsealed().order_by(Event.id).limit(BATCH)))
        for event in waiting:
            number, mac = number + 1, _mac(key, number + 1, mac, event)
            tx.add(Seal(number=number, event_id=event.id, mac=mac))
    if waiting:
        sink.append(Head(number, _sign(key, number, mac), clock.now()))
    return len(waiting)


def verify(database: Database, key: bytes, sink: AuditSink) -> Report:
    """Read the whole chain and compare it with every kept head."""
    problems: list[str] = []
    heads = {head.number: head for head in sink.heads()}
    number, mac = 0, GENESIS
    with database.read() as tx:
        for seal_, event in _chain(tx):
            if seal_.number != number + 1:
                problems.append(f"Seals {number + 1} to {seal_.number - 1} are missing: events were removed.")
            number = seal_.number
            if event is None:
                problems.append(f"The event of seal {number} (event {seal_.event_id}) was removed.")
            elif not hmac.compare_digest(_mac(key, number, mac, event), seal_.mac):
                problems.append(
                    f"Event {event.id} ({event.name}, {event.at:%Y-%m-%d %H:%M:%S} UTC) or its seal {number} was changed."
                )
            mac = seal_.mac
            if number in heads and not hmac.compare_digest(heads[number].mac, _sign(key, number, mac)):
                problems.append(
                    f"Seal {number} differs from the head kept outside the database: the chain was written again."
                )
            if len(problems) >= 20:
                break
        unsealed = tx.scalar(select(func.count()).select_from(_unsealed().subquery())) or 0
    newest = max(heads, default=0)
    if newest > number:
        problems.append(
            f"The kept head counts {newest} seals, the database only {number}: the end of the trail was cut off."
        )
    return Report(number, unsealed, tuple(problems))


def _chain(tx: Tx) -> Iterator[tuple[Seal, Event | None]]:
    rows = select(Seal, Event).outerjoin(Event, Event.id == Seal.event_id).order_by(Seal.number)
    yield from tx.execute(rows.execution_options(yield_per=BATCH))


def _unsealed() -> Select[Event]:
    return select(Event).outerjoin(Seal, Seal.event_id == Event.id).where(Seal.number.is_(None))


def _mac(key: bytes, number: int, before: str, event: Event) -> str:
    facts = [
        number, before, event.id, event.at.isoformat(), event.name, event.actor_id, event.actor_kind, event.via, event.subject_kind,
        event.subject_id, event.stage_id, event.changes,
    ]  # fmt: skip
    return hmac.new(key, json.dumps(facts, sort_keys=True, separators=(",", ":")).encode(), hashlib.sha256).hexdigest()


def _sign(key: bytes, number: int, mac: str) -> str:
    return hmac.new(key, f"{HEADS} {number} {mac}".encode(), hashlib.sha256).hexdigest()
