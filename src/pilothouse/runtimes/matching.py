"""Pure: which installed version serves a wish, or a refusal that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pilothouse.runtimes.contract import NoMatchingRuntime, RequirementRefused, Runtime

Policy = Literal["exact", "nearest", "any"]
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
        return usable[0] if usable else _none(kind, "any version", usable)
    target = _version(wanted)
    if policy == "exact":
        fitting = [r for r in usable if Version(r.version) == target]
    elif policy == "nearest":
        same = COMPATIBLE.get(kind, 2)
        fitting = [r for r in usable if Version(r.version).release[:same] == target.release[:same]]
    else:
        fitting = usable
    return min(fitting, key=lambda r: _distance(Version(r.version), target)) if fitting else _none(kind, wanted, usable)


def _by_specifier(requires: str, usable: Sequence[Runtime], kind: str) -> Runtime:
    try:
        specifier = SpecifierSet(requires)
    except InvalidSpecifier as error:
        raise RequirementRefused(
            f"“{requires}” is not a version specifier. Write for example “>=3.11,<3.13”."
        ) from error
    fitting = [r for r in usable if specifier.contains(r.version, prereleases=True)]
    return max(fitting, key=lambda r: Version(r.version)) if fitting else _none(kind, requires, usable)


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise RequirementRefused(f"“{text}” is not a version. Write for example 3.11.4.") from error


def _distance(have: Version, want: Version) -> tuple[int, ...]:
    pairs = zip((*have.release, 0, 0, 0)[:3], (*want.release, 0, 0, 0)[:3], strict=True)
    return tuple(abs(a - b) for a, b in pairs)


def _none(kind: str, wanted: str, usable: Sequence[Runtime]) -> Runtime:
    title = TITLES.get(kind, kind)
    have = ", ".join(r.version for r in usable[:5]) or "none"
    digits = "".join(c if c.isdigit() or c == "." else " " for c in wanted).split()
    add = ".".join(digits[0].split(".")[:2]) if digits else "VERSION"
    raise NoMatchingRuntime(
        f"This server has no {title} that fits {wanted}. Installed: {have}. "
        f"Ask an administrator to install {title} {add} on the server, or deploy with one of the installed versions."
    )
