"""Heads in memory, for tests."""

from __future__ import annotations

from pilothouse.audit.contract import Head


class MemorySink:
    def __init__(self) -> None:
        self._heads: list[Head] = []

    def append(self, head: Head) -> None:
        self._heads.append(head)

    def heads(self) -> list[Head]:
        return list(self._heads)
