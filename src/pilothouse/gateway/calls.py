"""Calls: requests that no grant and no socket stands for, as programs with a key make them. How many a job serves at once.

The door says what it let in, the access log what has ended; both know a request by Envoy's id of it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from pilothouse.base import clock
from pilothouse.gateway.envoy.accesslog import ENDED, moment_of

#: What has ended stands in the log, and was read, after so many seconds.
LAG_S = 3
#: The average is that of so many seconds: a burst that is over sooner is nothing to start a worker for.
WINDOW_S = 5
#: Envoy ends what lasts longer; a job that nobody called for so long is forgotten.
LONGEST_S, FORGOTTEN_S = 8 * 3600, 60
#: Of so many requests it is known that they ended before the door said that it let them in: their clients had left.
OVER_KEPT = 10_000


@dataclass
class _Served:
    """Of one job: calls that are open (id → since when), and how many seconds of calls that have ended each second saw."""

    open: dict[str, float] = field(default_factory=dict)
    seconds: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    called_at: float = 0.0


class Calls:
    """Kept in memory only: after a restart it counts from nothing. Safe to call from several threads.

    ``since`` tells when the oldest living Envoy was started: what came before it was lost, and nobody will log its end.
    """

    def __init__(self, since: Callable[[], float | None] = lambda: None) -> None:
        self._since, self._lock = since, threading.Lock()
        self._jobs: dict[str, _Served] = {}  # the one that was called longest ago first
        self._job_of: dict[str, str] = {}  # by the id of a call that is open
        self._over: dict[str, None] = {}  # ids of what ended and was no call, or none yet; the oldest first
        self._looked_at = 0

    def let_in(self, call: str, job_key: str) -> None:
        """The door sends the request with this id to the job; unless it has ended already, which nobody would log again."""
        now = clock.now().timestamp()
        with self._lock:
            if call in self._over:
                return
            served = self._jobs.pop(job_key, None) or _Served()
            self._jobs[job_key] = served
            served.open[call] = served.called_at = now
            self._job_of[call] = job_key
            self._forget(now)

    def heard(self, line: Mapping[str, Any]) -> None:
        """A line of the access log, whatever it tells."""
        if line.get("kind") != ENDED:
            return
        call, now = str(line.get("id")), clock.now().timestamp()
        with self._lock:
            job_key = self._job_of.pop(call, None)
            if job_key is None:
                self._over[call] = None
                while len(self._over) > OVER_KEPT:
                    del self._over[next(iter(self._over))]
                return
            served, began_at = self._jobs[job_key], moment_of(line)
            began = served.open.pop(call)
            ended = began_at.timestamp() + int(line.get("ms") or 0) / 1000 if began_at else now
            oldest = int(now) - LAG_S - WINDOW_S
            for second in range(max(int(began), oldest), int(min(ended, now)) + 1):
                served.seconds[second] += max(0.0, min(ended, second + 1) - max(began, second))
            for second in [past for past in served.seconds if past < oldest]:
                del served.seconds[second]

    def open(self, job_key: str) -> int:
        """How many of the job's calls have not ended, as far as the log tells; it tells about a second later."""
        with self._lock:
            served = self._jobs.get(job_key)
            return len(served.open) if served else 0

    def at_once(self, job_key: str) -> float:
        """How many calls the job served at once, on average over `WINDOW_S` seconds until `LAG_S` seconds ago."""
        second = int(clock.now().timestamp())
        until = second - LAG_S
        since = until - WINDOW_S
        if second != self._looked_at:
            self._looked_at = second
            self._drop_lost(second)
        with self._lock:
            served = self._jobs.get(job_key)
            if served is None:
                return 0.0
            ended = sum(served.seconds.get(second, 0.0) for second in range(since, until))
            going_on = takewhile(lambda began: began < until, served.open.values())
            return (ended + sum(until - max(began, since) for began in going_on)) / WINDOW_S

    def _drop_lost(self, now: int) -> None:
        first = max(self._since() or 0.0, now - LONGEST_S)
        with self._lock:
            for served in self._jobs.values():
                for call in [call for call, _ in takewhile(lambda one: one[1] < first, served.open.items())]:
                    del served.open[call], self._job_of[call]

    def _forget(self, now: float) -> None:
        while self._jobs:
            job_key, served = next(iter(self._jobs.items()))
            if served.open or served.called_at > now - FORGOTTEN_S:
                break
            del self._jobs[job_key]
