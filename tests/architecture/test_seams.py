"""Every plug point is complete: folder, table, conformance suite and reference page name the same implementations."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
from tests.factories.source import ROOMS, ROOT

from pilothouse.base.seam import Seam

CONTRACT_METHODS = 7
#: What is owed to a seam and skipped loudly as long as nothing of it is there.
FOLDERS = {"backends", "kinds", "formats", "filters", "providers", "stores", "restorers", "sinks", "channels"}


def found_seams() -> list[Seam[Any]]:
    rooms = [importlib.import_module(f"pilothouse.{room.name}") for room in ROOMS if room.name != "testing"]
    return [thing for room in rooms for thing in vars(room).values() if isinstance(thing, Seam)]


def name_of(seam: Seam[Any]) -> str:
    return seam.group.removeprefix("pilothouse.")


SEAMS = found_seams()
EACH = pytest.mark.parametrize("seam", SEAMS, ids=lambda seam: seam.group.removeprefix("pilothouse."))


def folder_of(seam: Seam[Any]) -> str:
    """The package that holds the implementations, such as ``pilothouse.storage.stores``."""
    (name,) = {".".join(target.split(":")[0].split(".")[:3]) for target in seam.table.values()}
    return name


def methods_of(contract: type) -> list[str]:
    return [name for name in vars(contract) if not name.startswith("_") and callable(getattr(contract, name))]


def modules_of(seam: Seam[Any]) -> list[ModuleType]:
    package = importlib.import_module(folder_of(seam))
    names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(n) for n in names if "shim" not in n and "child" not in n]


def test_there_are_seams_at_all() -> None:
    assert len(SEAMS) >= 6
    assert len({seam.group for seam in SEAMS}) == len(SEAMS)


def test_every_folder_of_implementations_belongs_to_a_seam() -> None:
    folders = {f"pilothouse.{room.name}.{p.name}" for room in ROOMS for p in room.iterdir() if p.name in FOLDERS}
    assert folders == {folder_of(seam) for seam in SEAMS}


@EACH
def test_a_contract_is_small_and_says_what_it_owes(seam: Seam[Any]) -> None:
    methods = methods_of(seam.contract)
    assert 1 <= len(methods) <= CONTRACT_METHODS
    assert seam.contract.__doc__
    assert seam.contract.__module__.endswith(".contract")


@EACH
def test_every_name_in_the_table_loads(seam: Seam[Any]) -> None:
    for name, target in seam.table.items():
        assert find_spec(target.split(":")[0]) is not None, (
            f"{seam.group}: {name} leads to {target}, which is not there"
        )
        seam.load(name)


@EACH
def test_no_implementation_was_forgotten_in_the_table(seam: Seam[Any]) -> None:
    owed = set(methods_of(seam.contract))
    kept = {
        f"{module.__name__}:{name}"
        for module in modules_of(seam)
        for name, thing in vars(module).items()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and owed <= set(dir(thing))
    }
    public = {target for target in kept if not target.split(":")[1].startswith("_")}
    assert public == set(seam.table.values())


@EACH
def test_every_implementation_has_its_conformance_suite(seam: Seam[Any]) -> None:
    folder = ROOT / "tests" / "conformance" / name_of(seam)
    assert {p.name for p in folder.glob("test_*.py")} == {f"test_{n.replace('-', '_')}.py" for n in seam.table}


@EACH
def test_every_seam_has_its_reference_page(seam: Seam[Any]) -> None:
    page = ROOT / "docs" / "reference" / f"{name_of(seam)}.md"
    assert page.exists(), f"{page.relative_to(ROOT)} is missing"
    text = page.read_text()
    assert [name for name in seam.table if f"`{name}`" not in text] == []


def test_seam_names_are_paths_of_files_that_can_be_guessed() -> None:
    for seam in SEAMS:
        for name, target in seam.table.items():
            module = target.split(":")[0].removeprefix(folder_of(seam) + ".").split(".")[0]
            assert module == name.replace("-", "_"), f"{name} should be in {folder_of(seam)}.{name.replace('-', '_')}"
