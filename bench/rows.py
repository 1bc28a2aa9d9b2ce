"""One line of the table that `make bench` prints."""

from __future__ import annotations

import math
import timeit
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measurement beside what DESIGN §8 allows. ``met`` is nothing where there is no budget."""

    what: str
    measured: str
    budget: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "yes", False: "NO", None: ""}[self.met]
        return f"{self.what:58} {self.measured:52} {self.budget:24} {verdict}"


def show(rows: Iterable[Row]) -> None:
    print(f"{'what':58} {'measured':52} {'budget':24} met", flush=True)
    for row in rows:
        print(row, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that ``share`` of them don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def pace() -> Row:
    """How quick this machine is just now: hosts of many guests are at times three times slower than at others."""
    took = min(timeit.repeat("sum(range(1000))", number=2000, repeat=15)) / 2000
    return Row("(pace: this Python adds up 1,000 numbers in)", f"{took * 1e6:.1f} µs")
