"""One shape for every plug point: a table of names, each leading to a class that keeps one contract."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from pilothouse.base.errors import Invalid

T = TypeVar("T")


class UnknownChoice(Invalid):
    """There is no implementation of this name. Choose one of the names listed."""

    code = "base/unknown-choice"


class Seam(Generic[T]):
    """A plug point: ``names()`` lists the choices, ``load(name)`` imports and returns the class behind one.

    Our own implementations stand in ``table``; others join by the entry-point group ``group``. Nothing is imported
    before it is asked for. ``load`` raises `UnknownChoice` for a name that nobody registered and ``TypeError`` for a
    class that lacks a method of the contract.
    """

    def __init__(self, group: str, contract: type[T], table: Mapping[str, str]) -> None:
        self.group, self.contract, self.table = group, contract, dict(table)

    def names(self) -> list[str]:
        return sorted({*self.table, *(e.name for e in entry_points(group=self.group))})

    def load(self, name: str) -> type[T]:
        for entry in [] if name in self.table else entry_points(group=self.group, name=name):
            return self._checked(entry.load())
        if name not in self.table:
            raise UnknownChoice(f"“{name}” is not one of {self.group}. Choose one of: {', '.join(self.names())}.")
        module, _, attribute = self.table[name].partition(":")
        return self._checked(getattr(import_module(module), attribute))

    def _checked(self, found: object) -> type[T]:
        owed = [n for n in vars(self.contract) if not n.startswith("_") and callable(getattr(self.contract, n))]
        if missing := [n for n in owed if not callable(getattr(found, n, None))]:
            raise TypeError(f"{found!r} does not keep the contract {self.contract.__name__}: it lacks {missing}")
        return cast(type[T], found)
