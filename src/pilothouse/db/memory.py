"""Answers from memory that hold for as long as nothing changed that they were made of."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from pilothouse.base import clock
from pilothouse.base.errors import Unavailable
from pilothouse.db.changes import Watch

T = TypeVar("T")
LIMIT = 20_000
#: A topic, and whose rows of it.
Source = tuple[str, int]


class Memory(Generic[T]):
    """Remembers what ``read`` found for each key. Safe to use from several threads; holds at most `LIMIT` answers, twice.

    ``sources`` says what an answer was made of: it is read again when one of them changed, and an answer without any (there
    was nothing) when anything of ``topics`` did. Where reading fails because the database is away, the answer from before
    stands (for as long as `Watch.epoch` goes on answering). ``names`` gives further keys of an answer. After ``fresh_s``
    seconds an answer is read again in any case.
    """

    def __init__(
        self,
        watch: Watch,
        topics: tuple[str, ...],
        read: Callable[[Any], T],
        *,
        sources: Callable[[T], Iterable[Source]],
        names: Callable[[T], tuple[Any, ...]] = lambda found: (),
        fresh_s: float = math.inf,
    ) -> None:
        self._watch, self._read, self._sources, self._names = watch, read, sources, names
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._epochs = dict.fromkeys(topics, -1)
        self._known: dict[Any, tuple[T, float]] = {}
        self._before: dict[Any, tuple[T, float]] = {}
        self._users: dict[Source | None, set[Any]] = {}

    def get(self, key: Any, given: Any = None) -> T:
        """The answer for ``key``; it is read from ``given`` where that differs from the key. Raises what ``read`` raises."""
        with self._lock:
            self._catch_up()
            epochs, known = dict(self._epochs), self._known.get(key)
        now = clock.now().timestamp()
        if known is not None and now - known[1] < self._fresh_s:
            return known[0]
        try:
            found = self._read(key if given is None else given)
        except Unavailable:
            known = known or self._before.get(key)
            if known is None:
                raise
            return known[0]
        with self._lock:
            if epochs == self._epochs:
                self._keep(key, found, now)
        return found

    def __len__(self) -> int:
        return len(self._known)

    def _keep(self, key: Any, found: T, now: float) -> None:
        keys = (key, *self._names(found))
        self._known.update(dict.fromkeys(keys, (found, now)))
        for source in tuple(self._sources(found)) or (None,):
            self._users.setdefault(source, set()).update(keys)

    def _catch_up(self) -> None:
        for topic, last in self._epochs.items():
            now = self._watch.epoch(topic)
            if now == last:
                continue
            changed = self._watch.changed(topic, last) if last >= 0 else None
            self._epochs[topic] = now
            if changed is None:
                self._drop(list(self._known))
            else:
                for source in (None, *((topic, number) for number in changed)):
                    self._drop(self._users.pop(source, ()))
        if len(self._known) > LIMIT:
            self._drop(list(self._known))

    def _drop(self, keys: Iterable[Any]) -> None:
        if len(self._before) > LIMIT:
            self._before = {}
        for key in keys:
            if (known := self._known.pop(key, None)) is not None:
                self._before[key] = known
        if not self._known:
            self._users = {}
