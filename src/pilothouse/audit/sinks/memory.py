"""Heads and events in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pilothouse.audit.contract import Head, Sealed
from pilothouse.settings.options import Audit


class MemorySink:
    """``is_away``: nothing can be kept now."""

    is_local: ClassVar[bool] = False

    def __init__(self) -> None:
        self.is_away = False
        self._heads: list[Head] = []
        self.events: list[Sealed] = []

    @classmethod
    def from_settings(cls, home: Path, options: Audit) -> MemorySink:
        return cls()

    def append(self, head: Head, events: Sequence[Sealed] = ()) -> None:
        if self.is_away:
            raise OSError("the sink is away")
        self.events += events
        self._heads.append(head)

    def heads(self) -> list[Head]:
        return list(self._heads)
