from __future__ import annotations

from datetime import timedelta

import pytest

from pilothouse.asgi.formats import ago, duration, relative, size
from pilothouse.asgi.texts import catalogue
from pilothouse.testing.clock import FrozenClock


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(None, "—"), (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 kB"), (48_213, "47 kB"), (3_670_016, "3.5 MB")],
)
def test_sizes_read_short(size_bytes: int | None, words: str) -> None:
    assert size(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.42, "0.4 s"), (41, "41 s"), (125, "2 min 5 s"), (3600, "1 h"), (187_200, "2 d 4 h")],
)
def test_durations_have_at_most_two_parts(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (5, "just now", "gerade eben"),
        (60, "1 minute ago", "vor 1 Minute"),
        (86_400 * 3, "3 days ago", "vor 3 Tagen"),
        (-7200, "in 2 hours", "in 2 Stunden"),
    ],
)
def test_moments_are_told_from_now(seconds: int, english: str, german: str) -> None:
    assert relative(timedelta(seconds=seconds), catalogue("en")) == english
    assert relative(timedelta(seconds=seconds), catalogue("de")) == german


def test_the_exact_moment_stands_in_the_element_with_its_zone(frozen_clock: FrozenClock) -> None:
    then = frozen_clock()
    frozen_clock.advance(hours=3)
    assert ago(then, catalogue("en")) == (
        '<time data-ago datetime="2026-03-02T12:00:00+00:00" title="02 Mar 2026, 12:00:00 UTC">3 hours ago</time>'
    )
    assert ago(None, catalogue("en")) == "—"
