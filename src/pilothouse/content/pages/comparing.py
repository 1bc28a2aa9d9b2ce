"""Pure: what differs between two versions, in people's words. Compares what is known of them; it opens no archive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

ADDED, REMOVED, CHANGED, NEWER, OLDER = "added", "removed", "changed", "newer", "older"
SHOWN = 300


@dataclass(frozen=True)
class Known:
    """What is known of one version: plain facts by their names, packages by name, and files by path with their checksums.

    ``None`` where it is not known. A file without checksum may have changed or not.
    """

    number: int
    facts: Mapping[str, str]
    packages: Mapping[str, str] | None = None
    files: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same: ``how`` is one of the words above."""

    name: str
    how: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Comparison:
    """All that differs between two versions, from ``before`` to ``after``. ``unknown`` says in sentences what could not be compared."""

    before: int
    after: int
    summary: str
    facts: Sequence[Difference]
    packages: Sequence[Difference]
    files: Sequence[Difference]
    unknown: Sequence[str]
    left_out: int = 0


def compare(before: Known, after: Known) -> Comparison:
    """From ``before`` to ``after``; packages and files in alphabetical order."""
    facts = [
        Difference(name, CHANGED, before.facts.get(name) or "—", after.facts.get(name) or "—")
        for name in dict.fromkeys([*before.facts, *after.facts])
        if before.facts.get(name) != after.facts.get(name)
    ]
    packages = _differences(before.packages, after.packages, _direction)
    files = _differences(before.files, after.files, lambda _old, _new: CHANGED)
    unknown = [
        *_unknown("packages", before.number, before.packages, after.number, after.packages),
        *_unknown("files", before.number, before.files, after.number, after.files),
    ]
    return Comparison(
        before=before.number,
        after=after.number,
        summary=_summary(facts, packages, files, bool(unknown)),
        facts=facts,
        packages=packages[:SHOWN],
        files=files[:SHOWN],
        unknown=unknown,
        left_out=max(0, len(packages) - SHOWN) + max(0, len(files) - SHOWN),
    )


def files_of(manifest: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Paths with their checksums as a manifest lists them; clients also send a plain list, or nothing."""
    listed = (manifest or {}).get("files")
    if isinstance(listed, Mapping):
        return {path: str(about.get("checksum") or "") if isinstance(about, Mapping) else "" for path, about in listed.items()}  # fmt: skip
    if isinstance(listed, list):
        return {str(path): "" for path in listed}
    return None


def _differences(old: Mapping[str, str] | None, new: Mapping[str, str] | None, direction: Any) -> list[Difference]:
    if old is None or new is None:
        return []
    found = []
    for name in sorted(old.keys() | new.keys(), key=str.lower):
        if name not in old:
            found.append(Difference(name, ADDED, "", new[name]))
        elif name not in new:
            found.append(Difference(name, REMOVED, old[name], ""))
        elif old[name] != new[name]:
            found.append(Difference(name, direction(old[name], new[name]), old[name], new[name]))
    return found


def _direction(old: str, new: str) -> str:
    for left, right in zip_longest(re.findall(r"\d+", old), re.findall(r"\d+", new), fillvalue="0"):
        if int(left) != int(right):
            return NEWER if int(right) > int(left) else OLDER
    return CHANGED


def _unknown(what: str, first: int, old: object, second: int, new: object) -> list[str]:
    missing = [number for number, known in ((first, old), (second, new)) if known is None]
    if not missing:
        return []
    which = " and ".join(str(number) for number in missing)
    return [f"The {what} of version {which} are not known: no build has listed them."]


def _summary(
    facts: Sequence[Difference], packages: Sequence[Difference], files: Sequence[Difference], partly: bool
) -> str:
    counted = [_count(files, "file", "files"), _count(packages, "package", "packages")]
    named = [f"{one.name.lower()} is {one.after} instead of {one.before}" for one in facts]
    parts = [words for words in (*counted, *named) if words]
    if not parts:
        return "What is known of both is the same." if partly else "Both are the same."
    sentence = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return f"{sentence[0].upper()}{sentence[1:]}."


def _count(found: Sequence[Difference], one: str, many: str) -> str:
    return f"{len(found)} {one} differs" if len(found) == 1 else f"{len(found)} {many} differ" if found else ""
