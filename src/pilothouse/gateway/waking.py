"""Waking what sleeps and waiting for it: one wake and one look-out per place, however many requests wait (SECURITY 11)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pilothouse.base.access import Principal, ResourceRef
from pilothouse.gateway.contract import Asked, Asleep, Place, RouteOwner

LOOK_S = 0.02
WAKE_AGAIN_S = 1.0
#: A place that answers this soon was only thawed; that costs its visitor nothing.
THAW_S = 0.5
STARTS, SECONDS_PER_START = 30, 2.0
VISITORS_LIMIT = 10_000


class Budget:
    """How many starts one visitor may cause: ``STARTS`` at once, then one more each ``SECONDS_PER_START``."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}  # visitor → (starts, when they were counted)

    def take(self, visitor: str) -> bool:
        """Whether there is a start left; it is spent then."""
        now = time.monotonic()
        starts, then = self._spent.pop(visitor, (0.0, now))
        starts = max(0.0, starts - (now - then) / SECONDS_PER_START)
        if may := starts + 1 <= STARTS:
            starts += 1
        self._spent[visitor] = (starts, now)
        if len(self._spent) > VISITORS_LIMIT:
            del self._spent[next(iter(self._spent))]  # the one seen longest ago
        return may

    def give_back(self, visitor: str) -> None:
        starts, then = self._spent.get(visitor, (0.0, 0.0))
        if starts:
            self._spent[visitor] = (max(0.0, starts - 1), then)


@dataclass(frozen=True)
class Wanted:
    """Something that sleeps, and who wants it: ``visitor`` is whom a start is counted for."""

    owner: RouteOwner
    place: Place
    asked: Asked
    principal: Principal
    visitor: str

    def asleep(self) -> Asleep | None:
        """Nothing when it is up, or can't be woken."""
        target = self.owner.target(self.place, self.asked)
        return target if isinstance(target, Asleep) else None

    async def wake(self) -> None:
        await asyncio.to_thread(self.owner.wake, self.place, self.principal)


@dataclass
class _LookOut:
    task: asyncio.Task[None]
    waiting: int = 0


class Waking:
    """The look-outs of one door. Used from its event loop only."""

    def __init__(self) -> None:
        self._look_outs: dict[tuple[ResourceRef, int | None], _LookOut] = {}
        self._budget = Budget()

    async def wait(self, wanted: Wanted, *, patience_s: float, left: asyncio.Future[None]) -> None:
        """Wake it; return when it no longer sleeps, the patience is over, the client ``left``, or the visitor has woken too much.

        When the last one who waits has gone, nobody looks any more; the start itself goes on. Raises what the owner raises.
        """
        key = (wanted.place.subject, wanted.place.bundle_id)
        found = self._look_outs.get(key)
        if found is None or found.task.done():
            asleep = wanted.asleep()
            if asleep is None or not (asleep.starting or self._budget.take(wanted.visitor)):
                return
            found = self._look_outs[key] = _LookOut(asyncio.create_task(self._look(wanted)))
        found.waiting += 1
        try:
            await asyncio.wait({found.task, left}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            if found.task.done():
                found.task.result()
        finally:
            found.waiting -= 1
            if found.waiting == 0:
                found.task.cancel()
                if self._look_outs.get(key) is found:
                    del self._look_outs[key]

    async def _look(self, wanted: Wanted) -> None:
        """Until it no longer sleeps. What was woken and yet fell asleep, or ended, is woken again."""
        began, woken = time.monotonic(), None
        while (asleep := wanted.asleep()) is not None:
            if not asleep.starting and (woken is None or time.monotonic() - woken >= WAKE_AGAIN_S):
                woken = time.monotonic()
                await wanted.wake()
            else:
                await asyncio.sleep(LOOK_S)
        if woken is not None and time.monotonic() - began < THAW_S:
            self._budget.give_back(wanted.visitor)
