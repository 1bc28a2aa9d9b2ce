"""The chain: each seal is a MAC over an event and the seal before it, with a key that is not in the database (SECURITY 21)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, select, text

from pilothouse.audit.contract import Head
from pilothouse.audit.models import Event, Seal
from pilothouse.base import clock
from pilothouse.db import Database, Tx

GENESIS = "0" * 64
BATCH = 1000
LOCK = 0x61756469
HEADS = "audit-head"
#: The sealer looks no further back than this many ids, so that its question costs the same however long the trail is. An
#: event whose transaction was open while more than that many others committed stays unsealed, and `verify` reports it.
REACH = 10_000
PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Report:
    """What `verify` found. ``problems`` are sentences; none = intact. ``unsealed`` events are younger than a second or so."""

    sealed: int
    unsealed: int
    problems: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return not self.problems


def seal(database: Database, key: bytes) -> int:
    """Chain all events that are not sealed yet, in the order of their ids; see `Sealer` for what becomes of the new head.

    Returns how many. Several servers may call it at once: one does the work. An event whose transaction committed late is
    sealed by the next call; the order of the chain is the order of sealing, not of ids.
    """
    with database.read() as tx:
        if _all_sealed(tx):
            return 0
    with database.write() as tx:
        if not database.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        last = tx.scalar(select(Seal).order_by(Seal.number.desc()).limit(1))
        number, mac = (last.number, last.mac) if last else (0, GENESIS)
        events = list(tx.scalars(_waiting(tx).order_by(Event.id).limit(BATCH)))
        for event in events:
            number, mac = number + 1, _mac(key, number + 1, mac, event)
            tx.add(Seal(number=number, event_id=event.id, mac=mac))
    return len(events)


def waiting(tx: Tx) -> int:
    """How many events are not sealed yet."""
    return tx.scalar(select(func.count()).select_from(_waiting(tx).subquery())) or 0


def head_of(key: bytes, seal_: Seal) -> Head:
    """The signed head of a chain that ends with ``seal_``."""
    return Head(seal_.number, _sign(key, seal_.number, seal_.mac), clock.now())


def verify(database: Database, key: bytes, kept: Sequence[Head] | None) -> Report:
    """Read the whole chain and compare it with every head that was ``kept``. At most twenty problems are told.

    ``None``: there is nothing to compare with. Then a cut tail and a chain that was written again with the key don't show.
    """
    heads: defaultdict[int, list[str]] = defaultdict(list)
    for head in kept or ():
        heads[head.number].append(head.mac)
    problems: list[str] = []
    number, mac = 0, GENESIS
    with database.read() as tx:
        for seal_, event in _chain(tx):
            problems += _problems(key, seal_, event, (number, mac), heads[seal_.number])
            number, mac = seal_.number, seal_.mac
        unsealed = tx.scalar(select(func.count()).select_from(_unsealed().subquery())) or 0
        late = tx.scalars(_unsealed().where(Event.id <= _floor(tx)).order_by(Event.id).limit(PROBLEMS_SHOWN)).all()
    problems += [f"Event {e.id} ({e.name}) was added behind the chain: its number is long past." for e in late]
    newest = max((n for n, macs in heads.items() if macs), default=0)
    if newest > number:
        problems.append(
            f"The kept head counts {newest} seals, the database only {number}: the end of the trail was cut off"
            f" from seal {number + 1} on."
        )
    if number and kept is not None and not newest:
        problems.append(f"No head is kept outside the database although {number} events are sealed: it was removed.")
    return Report(number, unsealed, tuple(problems[:PROBLEMS_SHOWN]))


def _problems(
    key: bytes, seal_: Seal, event: Event | None, before: tuple[int, str], heads: Sequence[str]
) -> Iterator[str]:
    """What is wrong with one seal, given the number and MAC before it and all heads that were kept of its number."""
    (last, mac), number = before, seal_.number
    if number != last + 1:
        yield f"Seals {last + 1} to {number - 1} are missing: events were removed."
    if event is None:
        yield f"The event of seal {number} (event {seal_.event_id}) was removed."
    elif not hmac.compare_digest(_mac(key, number, mac, event), seal_.mac):
        yield f"Event {event.id} ({event.name}, {event.at:%Y-%m-%d %H:%M:%S} UTC) or its seal {number} was changed."
    signed = _sign(key, number, seal_.mac)
    if not all(hmac.compare_digest(kept.encode(), signed.encode()) for kept in heads):
        yield f"Seal {number} differs from a head kept outside the database: the chain was written again from here or before."


def _chain(tx: Tx) -> Iterator[tuple[Seal, Event | None]]:
    rows = select(Seal, Event).outerjoin(Event, Event.id == Seal.event_id).order_by(Seal.number)
    yield from tx.execute(rows.execution_options(yield_per=BATCH))


def _all_sealed(tx: Tx) -> bool:
    """Asked each second: two counts, in indexes alone."""
    floor = _floor(tx)
    events = select(func.count()).select_from(Event).where(Event.id > floor).scalar_subquery()
    sealed = select(func.count()).select_from(Seal).where(Seal.event_id > floor).scalar_subquery()
    return bool(tx.scalar(select(events == sealed)))


def _unsealed(*of_seals: ColumnElement[bool]) -> Select[Event]:
    return select(Event).outerjoin(Seal, and_(Seal.event_id == Event.id, *of_seals)).where(Seal.number.is_(None))


def _waiting(tx: Tx) -> Select[Event]:
    """Of older events the seals are not read either."""
    floor = _floor(tx)
    return _unsealed(Seal.event_id > floor).where(Event.id > floor)


def _floor(tx: Tx) -> int:
    """No event of this id or a lower one is sealed any more."""
    return (tx.scalar(select(func.max(Seal.event_id))) or 0) - REACH


def _mac(key: bytes, number: int, before: str, event: Event) -> str:
    facts = [
        number, before, event.id, event.at.isoformat(), event.name, event.actor_id, event.actor_kind, event.via, event.subject_kind,
        event.subject_id, event.stage_id, event.changes,
    ]  # fmt: skip
    return hmac.new(key, json.dumps(facts, sort_keys=True, separators=(",", ":")).encode(), hashlib.sha256).hexdigest()


def _sign(key: bytes, number: int, mac: str) -> str:
    return hmac.new(key, f"{HEADS} {number} {mac}".encode(), hashlib.sha256).hexdigest()
