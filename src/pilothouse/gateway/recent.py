"""Which jobs the door has granted lately: people whom a worker may serve for a while without the door being asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from pilothouse.base import clock

#: A grant is good for so long, and a bit more that the gateway allows for clocks that differ.
LIFE_S, TOLERANCE_S = 59, 1
#: Envoy counts whole seconds, so nothing goes on by a grant that was issued longer ago than this.
REACH_S = LIFE_S + TOLERANCE_S + 1


class RecentGrants:
    """Kept in memory only; after a restart `remember` says what may have been granted before. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: dict[tuple[str, str], float] = {}  # (job, visit) → when; the oldest first
        self._visits: Counter[str] = Counter()
        self._last: dict[str, float] = {}

    def note(self, job_key: str, visit: str) -> None:
        """``visit`` had a grant for the job just now; the same one counts once, however often its grant is renewed."""
        with self._lock:
            now = self._forget()
            if self._issued.pop((job_key, visit), None) is None:
                self._visits[job_key] += 1
            self._issued[job_key, visit] = self._last[job_key] = now

    def remember(self, used: Mapping[str, float]) -> None:
        """``used`` maps jobs to when they were last used before a restart: grants may have been issued then."""
        with self._lock:
            self._last = {**used, **self._last}

    def count(self, job_key: str) -> int:
        """How many visits have a grant for the job that may still count: with open sockets, the load of a worker."""
        with self._lock:
            self._forget()
            return self._visits[job_key]

    def used_until(self, job_key: str) -> float:
        """Until then requests may reach the job unasked, so it must not be frozen before (seconds since 1970; 0 = it was never granted)."""
        with self._lock:
            last = self._last.get(job_key)
            return last + REACH_S if last is not None else 0.0

    def _forget(self) -> float:
        now = clock.now().timestamp()
        while self._issued:
            (job_key, visit), when = next(iter(self._issued.items()))
            if when >= now - REACH_S:
                break
            del self._issued[job_key, visit]
            self._visits[job_key] -= 1
            if not self._visits[job_key]:
                del self._visits[job_key], self._last[job_key]
        return now
