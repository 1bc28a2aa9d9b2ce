"""What the sealer does each second: it seals what happened, and tells every sink what it does not have yet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select, text

from pilothouse.audit.contract import AuditSink, Head, Sealed
from pilothouse.audit.models import Event, Seal, Told
from pilothouse.audit.service.chain import head_of, seal
from pilothouse.audit.service.files import facts_of
from pilothouse.db import Database, DatabaseDown, Tx, insert_into

log = structlog.get_logger(__name__)
BATCH = 500
LOCK = 0x746F6C64
LONGEST_PAUSE_S = 60.0


@dataclass
class _Trouble:
    """A sink that failed: how often in a row, and when it is tried again."""

    times: int = 0
    until: float = 0.0


class Sealer:
    """``sinks`` have names that tell them apart also between servers. How far each one is stands in the database, so that
    what it missed, because it or this server was down, comes as soon as it can."""

    def __init__(self, database: Database, key: bytes, sinks: Mapping[str, AuditSink]) -> None:
        self._database, self._key, self.sinks = database, key, sinks
        self._troubles = {name: _Trouble() for name in sinks}

    def run(self) -> int:
        """Seal, and tell every sink. Returns how many events were sealed."""
        count = self.seal()
        for name in self.sinks:
            self.tell(name)
        return count

    def seal(self) -> int:
        """Seal what waits; apart from `tell`, so that no sink that hangs keeps it waiting."""
        return seal(self._database, self._key)

    def tell(self, name: str) -> None:
        """Give a sink all that it lacks. One that fails is logged and left alone for 1, 2, 4 … 60 seconds, whether anything happens
        or not.
        """
        trouble = self._troubles[name]
        if time.monotonic() < trouble.until:
            return
        try:
            while self._tell_batch(name):
                pass
        except DatabaseDown:
            raise
        except Exception as error:  # a sink may be somebody else's code: it stops neither the sealer nor other sinks
            self._note_trouble(name, trouble, error)
            return
        if trouble.times:
            log.warning("the audit sink works again and has all it missed", sink=name)
        self._troubles[name] = _Trouble()

    def heads(self) -> list[Head] | None:
        """What the sinks kept; ``None`` if none of them can be read from here."""
        found = [kept for sink in self.sinks.values() if (kept := sink.heads()) is not None]
        return [head for kept in found for head in kept] if found else None

    def _tell_batch(self, name: str) -> bool:
        """Give a sink the next batch; whether there is more. One server at a time: the others find that it was done."""
        with self._database.read() as tx:
            if not self._is_mine(tx, name):
                return False
            told = tx.scalar(select(Told.number).where(Told.sink == name)) or 0
            newest = tx.scalar(select(func.max(Seal.number))) or 0
            after = (
                told if told <= newest else 0
            )  # a wrong number, or the chain was cut: the sink hears all of what is there
            missing = select(Seal, Event).outerjoin(Event, Event.id == Seal.event_id).where(Seal.number > after)
            rows = tx.execute(missing.order_by(Seal.number).limit(BATCH)).all()
            if not rows:
                return False
            events = [Sealed(s.number, e.at, {"seal": s.number, "mac": s.mac} | facts_of(e)) for s, e in rows if e]
            head = head_of(self._key, rows[-1][0])
            self.sinks[name].append(head, events)
            self._note_told(name, head.number)
        return len(rows) == BATCH

    def _note_told(self, name: str, number: int) -> None:
        with self._database.write() as tx:
            insert = insert_into(tx, Told).values(sink=name, number=number)
            tx.execute(insert.on_conflict_do_update(index_elements=["sink"], set_={"number": insert.excluded.number}))

    def _is_mine(self, tx: Tx, name: str) -> bool:
        if self._database.is_sqlite:
            return True
        locked = text("SELECT pg_try_advisory_xact_lock(:lock, hashtext(:name))")
        return bool(tx.scalar(locked, {"lock": LOCK, "name": name}))

    def _note_trouble(self, name: str, trouble: _Trouble, error: Exception) -> None:
        trouble.times += 1
        pause_s = min(2.0 ** (trouble.times - 1), LONGEST_PAUSE_S)
        trouble.until = time.monotonic() + pause_s
        log.error(
            "the audit sink failed",
            sink=name,
            reason=str(error) or type(error).__name__,
            times=trouble.times,
            again_in_s=pause_s,
        )


def behind(tx: Tx, sinks: Iterable[str]) -> Mapping[str, int]:
    """How many seals each of the ``sinks`` lacks."""
    newest = tx.scalar(select(func.max(Seal.number))) or 0
    told = {name: number for name, number in tx.execute(select(Told.sink, Told.number))}
    return {name: max(0, newest - told.get(name, 0)) for name in sinks}
