"""The small picture of content that nobody chose one for: drawn from its kind and title, in the colour of its department.

Pure: the same words give the same picture, so people know an item again. It shows no data and does not pretend to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

WIDTH, HEIGHT = 320, 120
#: Colours that stand for departments; those of kinds are the first four.
DEPARTMENTS = (0, 1, 2, 4, 5, 6, 7)


@dataclass(frozen=True)
class Shape:
    """A rounded rectangle; ``weight`` 1 to 3 says how strongly it is drawn."""

    x: int
    y: int
    width: int
    height: int
    weight: int = 1


@dataclass(frozen=True)
class Drawing:
    """What the template draws on a field of `WIDTH` by `HEIGHT`, in the colour ``tint``: a path for each weight (1 to 3).

    Their strokes, 3 wide with round joins, make the corners round.
    """

    paths: Sequence[tuple[int, str]]
    tint: int


@lru_cache(maxsize=4096)
def drawing(title: str, *, icon: str, kind_tint: int, department: str) -> Drawing:
    """A motif for the kind that has this ``icon``, varied by the title; coloured by the department, else by the kind."""
    tint = DEPARTMENTS[hashlib.sha256(department.lower().encode()).digest()[8] % len(DEPARTMENTS)]
    motif = {"api": _calls, "server": _calls, "file-text": _pages, "circle-dashed": _nothing}.get(icon, _bars)
    shapes = list(motif(hashlib.sha256(title.encode()).digest()))
    paths = [(weight, "".join(_path(s) for s in shapes if s.weight == weight)) for weight in (1, 2, 3)]
    return Drawing([(weight, path) for weight, path in paths if path], tint if department else kind_tint)


def _path(shape: Shape) -> str:
    width, height = shape.width - 3, shape.height - 3
    return f"M{shape.x + 1} {shape.y + 1}h{width}v{height}h-{width}z"


def _bars(seed: bytes) -> Iterator[Shape]:
    """An app that shows something: columns that rise and fall."""
    height = 34 + seed[0] % 30
    for column in range(13):
        height = max(16, min(92, height + seed[column + 1] % 37 - 17))
        yield Shape(104 + column * 17, HEIGHT - height, 11, height + 8, 1 + seed[column + 14] % 3)


def _calls(seed: bytes) -> Iterator[Shape]:
    """A programming interface: methods and paths."""
    for row in range(4):
        y, verb = 38 + row * 20, 26 + seed[row] % 3 * 8
        yield Shape(112, y, verb, 11, 3)
        first = 36 + seed[row + 5] % 50
        yield Shape(120 + verb, y, first, 11, 1)
        yield Shape(126 + verb + first, y, 18 + seed[row + 10] % 60, 11, 2 if seed[row + 15] % 3 == 0 else 1)


def _pages(seed: bytes) -> Iterator[Shape]:
    """A document: a heading and lines."""
    yield Shape(112, 34, 60 + seed[0] % 40, 12, 3)
    for line in range(5):
        yield Shape(112, 56 + line * 13, 108 + seed[line + 1] % 76 if line != 2 else 40 + seed[line] % 60, 6)


def _nothing(seed: bytes) -> Iterator[Shape]:
    """Not deployed yet: a place that waits."""
    for place in range(4):
        yield Shape(112 + place * 50, 36, 38, 48)
