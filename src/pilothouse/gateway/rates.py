"""How often programs may ask: one bucket of tokens for each API key, and one for each content that has a limit.

Calls with a key always ask the door, so it can count them. In memory: each server process counts for itself, and after a
restart every bucket is full.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from pilothouse.gateway.contract import Place

MINUTE_S = 60.0
#: Buckets that are remembered; the one that was asked longest ago is forgotten first, which makes it full.
REMEMBERED = 20_000


class Rates:
    """A bucket holds what may be asked within a minute and fills evenly. ``per_key`` is what one key may ask, 0 = no limit.

    Safe to call from several threads.
    """

    def __init__(self, per_key: int, *, now: Callable[[], float] = monotonic) -> None:
        self._per_key, self._now, self._lock = per_key, now, threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was so

    def take(self, key_id: int, place: Place) -> float:
        """0 for a request that may pass; else after how many seconds it may. A request that may not takes nothing."""
        limits = [(f"key {key_id}", self._per_key), (str(place.subject), place.requests_per_minute)]
        limits = [(name, limit) for name, limit in limits if limit]
        if not limits:
            return 0.0
        now = self._now()
        with self._lock:
            left = {name: self._left(name, limit, now) for name, limit in limits}
            waits = [(1 - left[name]) * MINUTE_S / limit for name, limit in limits if left[name] < 1]
            if waits:
                return max(waits)
            for name, amount in left.items():
                self._buckets[name] = (amount - 1, now)
                self._buckets.move_to_end(name)
            while len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        return 0.0

    def _left(self, name: str, limit: int, now: float) -> float:
        amount, since = self._buckets.get(name, (float(limit), now))
        return min(float(limit), amount + (now - since) * limit / MINUTE_S)
