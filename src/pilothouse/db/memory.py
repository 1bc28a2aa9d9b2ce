"""Answers from memory that hold for as long as nothing of their topics changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pilothouse.base.errors import Unavailable
from pilothouse.db.changes import Watch

T = TypeVar("T")
LIMIT = 20_000


class Memory(Generic[T]):
    """Remembers what ``read`` found for each key. Safe to use from several threads; holds at most `LIMIT` answers, twice.

    When a counter of ``topics`` has moved everything is read again; where that fails because the database is away, the
    answer from before the move stands (for as long as `Watch.epoch` goes on answering). ``names`` gives further keys of an
    answer.
    """

    def __init__(
        self,
        watch: Watch,
        topics: tuple[str, ...],
        read: Callable[[Any], T],
        names: Callable[[T], tuple[Any, ...]] = lambda found: (),
    ) -> None:
        self._watch, self._topics, self._read, self._names = watch, topics, read, names
        self._lock = threading.Lock()
        self._epochs: tuple[int, ...] = (-1,)
        self._known: dict[Any, T] = {}
        self._before: dict[Any, T] = {}

    def get(self, key: Any) -> T:
        """The answer for ``key``. Raises what ``read`` raises."""
        epochs = tuple(self._watch.epoch(topic) for topic in self._topics)
        with self._lock:
            if epochs != self._epochs or len(self._known) > LIMIT:
                self._before = {**self._before, **self._known} if len(self._before) < LIMIT else self._known
                self._known, self._epochs = {}, epochs
            if key in self._known:
                return self._known[key]
        try:
            found = self._read(key)
        except Unavailable:
            if key in self._before:
                return self._before[key]
            raise
        with self._lock:
            if epochs == self._epochs:
                self._known.update(dict.fromkeys((key, *self._names(found)), found))
        return found
