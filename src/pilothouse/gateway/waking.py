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


@dataclass
class _LookOut:
    task: asyncio.Task[None]
    waiting: int = 0


class Waking:
    """The look-outs of one door. Used from its event loop only."""

    def __init__(self) -> None:
        self._look_outs: dict[tuple[ResourceRef, int | None], _LookOut] = {}
        self._budget = Budget()

    async def wait(  # noqa: PLR0913 - who asks for what, and how long
        self, owner: RouteOwner, place: Place, asked: Asked, *, principal: Principal, visitor: str, patience_s: float, left: asyncio.Future[None]
    ) -> None:  # fmt: skip
        """Wake ``place``; return when it no longer sleeps, the patience is over, the client ``left``, or ``visitor`` has woken too much.

        When the last one who waits has gone, nobody looks any more; the start itself goes on. Raises what ``owner`` raises.
        """
        key = (place.subject, place.bundle_id)
        found = self._look_outs.get(key)
        if found is None or found.task.done():
            if not self._budget.take(visitor):
                return
            task = asyncio.create_task(self._look(owner, place, asked, principal, visitor))
            found = self._look_outs[key] = _LookOut(task)
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

    async def _look(self, owner: RouteOwner, place: Place, asked: Asked, principal: Principal, visitor: str) -> None:
        """Until ``place`` no longer sleeps. What was woken and yet fell asleep, or ended, is woken again."""
        began, woken = time.monotonic(), float("-inf")
        while isinstance(target := owner.target(place, asked), Asleep):
            now = time.monotonic()
            if now - woken >= WAKE_AGAIN_S and not (target.starting and woken > 0):
                woken = now
                await asyncio.to_thread(owner.wake, place, principal)
            else:
                await asyncio.sleep(LOOK_S)
        if time.monotonic() - began < THAW_S:
            self._budget.give_back(visitor)
