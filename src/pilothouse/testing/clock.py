"""A clock that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pilothouse.base import clock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FrozenClock:
    """What `clock.now()` answers while the fixture is in use."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def advance(self, **span: float) -> datetime:
        """Let time pass: ``frozen_clock.advance(minutes=5)``. Returns the new moment."""
        self.moment += timedelta(**span)
        return self.moment

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def frozen_clock() -> Iterator[FrozenClock]:
    """`clock.now()` answers noon of 2 March 2026 until the test advances it."""
    frozen = FrozenClock()
    clock.set_source(frozen)
    yield frozen
    clock.set_source()
