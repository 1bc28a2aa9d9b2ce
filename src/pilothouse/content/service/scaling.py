"""How many workers content needs, and which of them a request goes to: by how they are used, and what their terms say."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pilothouse.content.service.terms import Terms, WorkerRules

#: A handshake that was let through stands in the access log after so many seconds at the latest.
UNSEEN_S = 3.0


@dataclass(frozen=True)
class Activity:
    """How a job is used: open sockets now, and how many of them opened in the last `UNSEEN_S` seconds; visits with a grant
    that may still count, and until when such a grant may bring requests past the door; calls that it served at once, on
    average over the last seconds, and those not known to have ended; the moment of the last response.
    Moments are in seconds since 1970; 0 = never.
    """

    open_sockets: int = 0
    opened_lately: int = 0
    grants: int = 0
    calls: float = 0.0
    open_calls: int = 0
    granted_until: float = 0.0
    last_response: float = 0.0

    @property
    def load(self) -> float:
        return self.open_sockets + self.grants + self.calls


def wanted(terms: Terms, load: float) -> int:
    """How many workers such a load of all of them together asks for: as many as it takes for none to have more than its share."""
    share = terms.connections * terms.load_factor
    needed = 0 if load == 0 else math.ceil(load / share) if share else terms.max_processes
    return max(terms.min_processes, min(needed, terms.max_processes))


@dataclass(frozen=True)
class Ready:
    """A worker that takes requests."""

    address: str
    job_key: str


class Chooser:
    """Gives each request its worker, under the terms that ``rules`` give. ``activity`` tells how a job is used, by its key.

    Safe to call from several threads.
    """

    def __init__(self, rules: WorkerRules, activity: Callable[[str], Activity]) -> None:
        self.rules, self._activity = rules, activity
        self._let_in: dict[int, tuple[float, str, object]] = {}  # by the identity of what was asked; the oldest first
        self._late: Counter[str] = Counter()
        self._lock = threading.Lock()

    def choose(self, ready: Sequence[Ready], terms: Terms, *, hint: str, is_new: bool) -> Ready | None:
        """The worker that the visitor had (``hint``) if it takes requests, else the one with the least load.

        ``is_new``: a page load or a WebSocket handshake, which may go on using the worker for long. It gets none
        (``None``) while each has all the connections it may have. Calls go only to as many workers as the load asks for, so
        that the others come to rest, and to the one of them with the fewest that are open.
        """
        had = next((one for one in ready if one.job_key == hint), None) if hint else None
        if had is not None:
            return had
        if len(ready) == 1 and not is_new:
            return ready[0]
        uses = {one.job_key: self._activity(one.job_key) for one in ready}
        if not is_new and not hint:
            enough = wanted(terms, sum(use.load for use in uses.values()))
            return min(ready[: max(1, enough)], key=lambda one: _taken(uses[one.job_key]))
        late = {key: max(0, self._lately(key) - use.opened_lately) for key, use in uses.items()}
        free = [one for one in ready if uses[one.job_key].open_sockets + late[one.job_key] < terms.connections]
        if is_new and not free:
            return None
        return min(free or ready, key=lambda one: uses[one.job_key].load + late[one.job_key])

    def let_in(self, job_key: str, asked: object) -> None:
        """The WebSocket that ``asked`` for it is sent to this job; the log tells of it a moment later. The same ``asked`` counts once,
        however often its way is looked up.
        """
        with self._lock:
            self._forget(id(asked))
            self._let_in[id(asked)] = time.monotonic(), job_key, asked  # held, so that no other has its identity
            self._late[job_key] += 1

    def _lately(self, job_key: str) -> int:
        with self._lock:
            while self._let_in and next(iter(self._let_in.values()))[0] < time.monotonic() - UNSEEN_S:
                self._forget(next(iter(self._let_in)))
            return self._late[job_key]

    def _forget(self, number: int) -> None:
        if (known := self._let_in.pop(number, None)) is not None:
            self._late[known[1]] -= 1
            if not self._late[known[1]]:
                del self._late[known[1]]


def _taken(use: Activity) -> int:
    return use.open_sockets + use.grants + use.open_calls
