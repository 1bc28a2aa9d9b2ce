"""Pure: which installed version serves a wish, or a refusal that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pilothouse.runtimes.contract import NoMatchingRuntime, RequirementRefused, Runtime

Policy = Literal["exact", "nearest", "any"]
#: What to add where any version would do.
NEWEST = "3.13"
#: What `pilothouse runtime add` can bring.
OLDEST = Version("3.8")
TITLES = {"python": "Python", "r": "R", "nodejs": "Node.js"}
#: How many leading numbers of a version promise that what ran with one runs with the other.
COMPATIBLE = {"nodejs": 1}


def match(
    wanted: str | None, requires: str | None, installed: Sequence[Runtime], policy: Policy, kind: str = "python"
) -> Runtime:
    """Choose a runtime.

    ``requires`` (a version specifier, PEP 440) decides where it is given; else ``wanted``, a full version: ``exact`` takes
    only that one, ``nearest`` the nearest patch of the same ``X.Y`` (of Node.js the nearest of the same ``X``), ``any`` the
    nearest of all. Without a wish the newest. Raises `NoMatchingRuntime`, and `RequirementRefused` for a wish that is no version.
    """
    usable = [r for r in installed if r.kind == kind]
    if requires:
        return _by_specifier(requires, usable, kind)
    if not wanted:
        return usable[0] if usable else _none(kind, "any version", usable, NEWEST if kind == "python" else "")
    target = _version(wanted)
    same = COMPATIBLE.get(kind, 2)
    add = wanted if policy == "exact" else ".".join(str(n) for n in target.release[:same])
    if policy == "exact":
        fitting = [r for r in usable if Version(r.version) == target]
    elif policy == "nearest":
        fitting = [r for r in usable if Version(r.version).release[:same] == target.release[:same]]
    else:
        fitting = usable
    return (
        min(fitting, key=lambda r: _distance(Version(r.version), target))
        if fitting
        else _none(kind, wanted, usable, add)
    )


def _by_specifier(requires: str, usable: Sequence[Runtime], kind: str) -> Runtime:
    try:
        specifier = SpecifierSet(requires)
    except InvalidSpecifier as error:
        raise RequirementRefused(
            f"“{requires}” is not a version specifier. Write for example “>=3.11,<3.13”."
        ) from error
    fitting = [r for r in usable if specifier.contains(r.version, prereleases=True)]
    return (
        max(fitting, key=lambda r: Version(r.version))
        if fitting
        else _none(kind, requires, usable, _to_add(kind, requires))
    )


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise RequirementRefused(f"“{text}” is not a version. Write for example 3.11.4.") from error


def _distance(have: Version, want: Version) -> tuple[int, ...]:
    pairs = zip((*have.release, 0, 0, 0)[:3], (*want.release, 0, 0, 0)[:3], strict=True)
    return tuple(abs(a - b) for a, b in pairs)


def _none(kind: str, wanted: str, usable: Sequence[Runtime], add: str) -> Runtime:
    """``add`` is a version that would fit, empty when that can't be told."""
    title = TITLES.get(kind, kind)
    if add:
        usable = sorted(usable, key=lambda r: _distance(Version(r.version), Version(add)))
    have = ", ".join(r.version for r in usable[:5])
    known = f"Installed, nearest first: {have}. Deploy with one of these, or ask" if have else "None is installed. Ask"
    remedy = f"install {title} {add}".rstrip() + " on the server."
    if kind == "python" and add and Version(add) >= OLDEST:
        remedy = f"run on the server: pilothouse runtime add python {add}"
    raise NoMatchingRuntime(f"This server has no {title} that fits {wanted}. {known} an administrator to {remedy}")


def _to_add(kind: str, requires: str) -> str:
    """The ``X.Y`` nearest to what a specifier names that it admits; an exact version as it is."""
    named = re.search(r"(\d+)(?:\.(\d+)(\.\d+)?)?", requires)
    if named is None or named[2] is None or kind != "python":
        return named[0] if named else ""
    specifier = SpecifierSet(requires)
    minors = [minor for minor in range(8, 20) if specifier.contains(f"{named[1]}.{minor}.99")]
    return f"{named[1]}.{min(minors, key=lambda minor: abs(minor - int(named[2])))}" if minors else named[0]
