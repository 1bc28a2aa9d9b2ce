"""A plug point: what is in the table, what a plug-in adds, and refusals that list the choices."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import Protocol

import pytest

from pilothouse.base import seam as seam_module
from pilothouse.base.seam import Seam, UnknownChoice


class Greeter(Protocol):
    def greet(self, name: str) -> str: ...
    def leave(self) -> None: ...


class Friendly:
    def greet(self, name: str) -> str:
        return f"Hello {name}"

    def leave(self) -> None:
        return None


class Mute:
    def leave(self) -> None:
        return None


@pytest.fixture
def greeters(monkeypatch: pytest.MonkeyPatch) -> Seam[Greeter]:
    monkeypatch.setitem(sys.modules, "greeters", sys.modules[__name__])
    return Seam("tests.greeters", Greeter, {"friendly": "greeters:Friendly", "mute": "greeters:Mute"})  # type: ignore[type-abstract]


def test_a_name_leads_to_its_class(greeters: Seam[Greeter]) -> None:
    assert greeters.load("friendly")().greet("Amara") == "Hello Amara"


def test_an_unknown_name_lists_the_choices(greeters: Seam[Greeter]) -> None:
    with pytest.raises(UnknownChoice, match="Choose one of: friendly, mute"):
        greeters.load("slurm")


def test_a_class_that_breaks_the_contract_says_what_it_lacks(greeters: Seam[Greeter]) -> None:
    with pytest.raises(TypeError, match=r"lacks \['greet'\]"):
        greeters.load("mute")


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    lazy = Seam("tests.greeters", Greeter, {"absent": "no.such.module:X"})  # type: ignore[type-abstract]
    assert lazy.names() == ["absent"]
    with pytest.raises(ModuleNotFoundError):
        lazy.load("absent")


def test_a_plug_in_joins_by_its_entry_point_and_can_not_replace_ours(
    greeters: Seam[Greeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = [
        EntryPoint("theirs", "greeters:Friendly", "tests.greeters"),
        EntryPoint("friendly", "greeters:Mute", "tests.greeters"),
    ]

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [e for e in offered if e.group == group and name in (None, e.name)]

    monkeypatch.setattr(seam_module, "entry_points", entry_points)
    assert greeters.names() == ["friendly", "mute", "theirs"]
    assert greeters.load("theirs") is Friendly
    assert greeters.load("friendly") is Friendly
