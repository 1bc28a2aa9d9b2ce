"""Which file of a locked package an interpreter takes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import packaging
from packaging.markers import Marker
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pilothouse.runtimes.contract import Artifact

ASK_TAGS = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from packaging.tags import sys_tags; from packaging.markers import default_environment as d; import json;"
    "print(json.dumps([[str(t) for t in sys_tags()], d()]))"
)


@lru_cache(maxsize=50)
def target_facts(python: str) -> tuple[tuple[Tag, ...], tuple[tuple[str, str], ...]]:
    """The wheel tags, best first, and the marker values of an interpreter: it is asked, with our copy of ``packaging``."""
    library = str(Path(packaging.__file__).parent.parent)
    done = subprocess.run(
        [python, "-I", "-S", "-c", ASK_TAGS, library],
        capture_output=True,
        check=True,
        timeout=30,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    tags, markers = json.loads(done.stdout)
    return tuple(Tag(*text.split("-")) for text in tags), tuple(markers.items())


def wanted_packages(document: Mapping[str, Any], markers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The packages of a ``pylock.toml`` (PEP 751) that an interpreter with these marker values needs."""
    for package in document.get("packages", []):
        if "marker" not in package or Marker(package["marker"]).evaluate(dict(markers)):
            yield package


def best_wheel(package: Mapping[str, Any], tags: Sequence[Tag], allowed: set[str] | None) -> Artifact | None:
    """The wheel of one locked package that the interpreter likes best. ``allowed`` are the hashes that may be used."""
    rank = {tag: place for place, tag in enumerate(tags)}
    best: tuple[int, Artifact] | None = None
    for wheel in package.get("wheels", []):
        filename = filename_of(wheel)
        sha256 = wheel.get("hashes", {}).get("sha256", "")
        places = [rank[tag] for tag in _tags_of(filename) if tag in rank]
        if not places or not sha256 or (allowed and sha256 not in allowed):
            continue
        found = Artifact(package["name"], package["version"], filename, sha256, wheel["url"], wheel.get("size"))
        if best is None or min(places) < best[0]:
            best = (min(places), found)
    return best[1] if best else None


def filename_of(entry: Mapping[str, Any]) -> str:
    """The name of a locked file, which the lock may give by its address only."""
    last = str(entry["url"]).split("#")[0].split("?")[0].rsplit("/", 1)[-1]
    return str(entry.get("name") or last.replace("%2B", "+").replace("%2b", "+"))


def _tags_of(filename: str) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return frozenset()
