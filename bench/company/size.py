"""How big the company is, and who and what in it is asked about by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """``events`` are audit events. Groups are nested three deep: divisions hold departments, departments hold teams."""

    items: int = 10_000
    users: int = 80_000
    groups: int = 2_000
    hits: int = 1_000_000
    events: int = 300_000

    @property
    def name(self) -> str:
        return f"company_{self.items}"


#: What the issue names, and what paged reads are compared by: all else stays the same.
COMPANY = Size()
GROWTH = (Size(1_000), COMPANY, Size(100_000))

DIVISIONS, DEPARTMENTS = 20, 180
PUBLISHERS, LANGUAGES_LOCKED, PACKAGES_LOCKED = 4_000, 200, 60
#: Users by their ids: an administrator, and somebody who is in 300 groups and owns the two items below.
ADMINISTRATOR, BUSY, BUSY_GROUPS = 1, 2, 300
#: Items by their ids: one with 300 names on its access list, one that gets one request of twenty.
LISTED, LISTED_LINES, POPULAR = 1, 300, 2
PASSWORD = "harbour-light-7"
