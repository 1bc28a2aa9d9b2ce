"""One clock for all, that tests can stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pilothouse.base import clock
from pilothouse.testing.clock import NOON, FrozenClock


def test_moments_are_in_utc_and_about_now() -> None:
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_frozen_clock_moves_only_when_told(frozen_clock: FrozenClock) -> None:
    assert clock.now() == clock.now() == NOON
    frozen_clock.advance(hours=1, seconds=2)
    assert clock.now() == NOON + timedelta(hours=1, seconds=2)


def test_the_systems_clock_comes_back_after_a_test() -> None:
    assert clock.now() != NOON
