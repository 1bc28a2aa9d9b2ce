"""Pure: reading a bundle's requirements file, and refusing what would reach outside the configured index (SECURITY 17)."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pilothouse.runtimes.contract import RequirementRefused

HASH = re.compile(r"--hash[= ]([a-z0-9]+):([0-9a-f]+)")


def check(text: str, *, allow_index_options: bool) -> str:
    """The text with continued lines joined and comments gone. Raises `RequirementRefused` and names the line.

    Refused unless ``allow_index_options``: options such as ``--index-url`` or ``-r``, direct addresses, paths.
    """
    kept = []
    for number, line in enumerate(_logical_lines(text), 1):
        bare = HASH.sub("", line).strip().rstrip("\\").strip()
        if not bare or bare.startswith("#"):
            continue
        if not allow_index_options:
            _check_line(bare, number)
        kept.append(line)
    return "\n".join(kept) + "\n"


def hashes(text: str) -> dict[str, set[str]]:
    """The sha256 hashes that the text allows, by normalised project name; empty for a text without hashes."""
    found: dict[str, set[str]] = {}
    for line in _logical_lines(text):
        allowed = {value for algorithm, value in HASH.findall(line) if algorithm == "sha256"}
        name = re.match(r"[A-Za-z0-9._-]+", line.strip())
        if allowed and name:
            found.setdefault(canonicalize_name(name[0]), set()).update(allowed)
    return found


def names(text: str) -> set[str]:
    """Normalised names of the projects that the text asks for by name."""
    found: set[str] = set()
    for line in _logical_lines(text):
        try:
            found.add(canonicalize_name(Requirement(HASH.sub("", line).split(" #")[0].strip()).name))
        except InvalidRequirement:
            continue
    return found


def _check_line(line: str, number: int) -> None:
    if line.startswith("-"):
        raise RequirementRefused(
            f"Line {number} of the requirements, “{_short(line)}”, is an option. The server chooses the index; remove the line."
        )
    try:
        requirement = Requirement(line.split(" #")[0].strip())
    except InvalidRequirement as error:
        if "/" in line or line.startswith("."):
            raise RequirementRefused(
                f"Line {number} of the requirements, “{_short(line)}”, is a path or an address. Name the package; the server has its index."
            ) from error
        raise RequirementRefused(
            f"Line {number} of the requirements, “{_short(line)}”, can't be read: {str(error).splitlines()[0]}."
        ) from error
    if requirement.url:
        raise RequirementRefused(
            f"Line {number} of the requirements takes {requirement.name} from an address of its own. Name a version; the server has its index."
        )


def _short(line: str) -> str:
    """The beginning of a line, without what may be a credential in an address."""
    return re.sub(r"//[^/@\s]*@", "//…@", line)[:80]


def _logical_lines(text: str) -> list[str]:
    joined = re.sub(r"\\\r?\n", " ", text.lstrip("\ufeff"))
    return [line for line in joined.splitlines() if not line.lstrip().startswith("#")]
