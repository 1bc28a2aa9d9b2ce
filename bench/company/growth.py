"""A plot of how long paged reads take as a company grows: plain SVG, both axes logarithmic, one panel for each database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 660, 420, 56, 48, 310, 44
LOWEST_MS, HIGHEST_MS = 1.0, 10_000.0
GOAL_MS = 50.0
TONES = ("#0f8f83", "#12395b", "#e8a317", "#c8322b", "#6b4fa0", "#8a5a2b", "#4c7a34", "#2f7fb8")


@dataclass(frozen=True)
class Curve:
    """Milliseconds by number of items, for one kind of request on one database."""

    database: str
    what: str
    points: Sequence[tuple[int, float]]


def drawn(curves: Sequence[Curve]) -> str:
    databases = list(dict.fromkeys(curve.database for curve in curves))
    panels = [
        _panel([curve for curve in curves if curve.database == database], database, number * WIDTH)
        for number, database in enumerate(databases)
    ]
    width = WIDTH * len(databases)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" font-size="11">'
    ground = f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, ground, *panels, "</svg>", ""])


def _panel(curves: Sequence[Curve], title: str, left: int) -> str:
    sizes = [size for size, _ in curves[0].points]
    parts = [f'<g transform="translate({left} 0)">', _text(LEFT, 24, f"{title}: median, in ms", "#0b2239", size=14)]
    for value in (1, 10, 100, 1000, 10_000):
        parts += [
            _line(LEFT, _y(value), WIDTH - RIGHT, _y(value), "#dbe3ea"),
            _text(LEFT - 8, _y(value) + 4, f"{value:,}", anchor="end"),
        ]
    parts.append(_line(LEFT, _y(GOAL_MS), WIDTH - RIGHT, _y(GOAL_MS), "#c8322b", dashed=True))
    parts.append(_text(LEFT + 4, _y(GOAL_MS) - 4, "goal 50 ms", "#c8322b"))
    for size in sizes:
        parts.append(_text(_x(size, sizes), HEIGHT - BOTTOM + 18, f"{size:,} items", anchor="middle"))
    labels = _apart([_y(curve.points[-1][1]) for curve in curves])
    for number, (curve, label) in enumerate(zip(curves, labels, strict=True)):
        tone = TONES[number % len(TONES)]
        path = " ".join(f"{_x(size, sizes):.1f},{_y(took):.1f}" for size, took in curve.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{tone}" stroke-width="1.6"/>')
        parts.append(_text(WIDTH - RIGHT + 8, label + 4, f"{curve.what} {curve.points[-1][1]:.0f}", tone))
    return "\n".join([*parts, "</g>"])


def _apart(wanted: Sequence[float], step: float = 13) -> list[float]:
    """Near the wanted heights, in the same order, and never over each other."""
    order, placed, last = sorted(range(len(wanted)), key=lambda n: wanted[n]), [0.0] * len(wanted), -math.inf
    for number in order:
        placed[number] = last = max(wanted[number], last + step)
    return placed


def _x(size: int, sizes: Sequence[int]) -> float:
    share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
    return LEFT + share * (WIDTH - RIGHT - LEFT)


def _y(took_ms: float) -> float:
    share = math.log(max(took_ms, LOWEST_MS) / LOWEST_MS) / math.log(HIGHEST_MS / LOWEST_MS)
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def _line(x1: float, y1: float, x2: float, y2: float, tone: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{tone}"{dash}/>'


def _text(x: float, y: float, words: str, tone: str = "#5a6b7a", *, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{tone}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
    )
