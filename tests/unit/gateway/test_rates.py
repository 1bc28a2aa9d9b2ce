"""How often programs may ask: a minute's worth at once, then evenly; for each key, and for each content."""

from __future__ import annotations

import pytest

from pilothouse.base.access import ResourceRef
from pilothouse.gateway import rates
from pilothouse.gateway.contract import Place
from pilothouse.gateway.rates import Rates


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def place(limit: int = 0, number: int = 7) -> Place:
    return Place(ResourceRef("content", number), 1, "/content/x/", "", requests_per_minute=limit)


def test_without_limits_nothing_is_counted() -> None:
    made = Rates(0)
    assert [made.take(1, place()) for _ in range(5)] == [0.0] * 5
    assert not made._buckets


def test_a_minutes_worth_at_once_then_evenly() -> None:
    clock = Clock()
    made = Rates(6, now=clock)
    assert [made.take(1, place()) for _ in range(6)] == [0.0] * 6
    assert made.take(1, place()) == pytest.approx(10)
    assert made.take(2, place()) == 0.0
    clock.at += 4
    assert made.take(1, place()) == pytest.approx(6)
    clock.at += 6
    assert made.take(1, place()) == 0.0
    clock.at += 3600
    assert [made.take(1, place()) for _ in range(7)][-2:] == [0.0, pytest.approx(10)]


def test_content_is_asked_by_all_keys_together() -> None:
    made = Rates(0, now=Clock())
    assert [made.take(key, place(2)) for key in (1, 2)] == [0.0, 0.0]
    assert made.take(3, place(2)) == pytest.approx(30)
    assert made.take(3, place(2, number=8)) == 0.0


def test_who_is_refused_by_one_limit_uses_nothing_of_the_other() -> None:
    clock = Clock()
    made = Rates(2, now=clock)
    assert made.take(1, place(1)) == 0.0
    for _ in range(3):
        assert made.take(1, place(1)) == pytest.approx(60)
    assert made.take(1, place(0)) == 0.0
    assert made.take(1, place(0)) > 0


def test_so_many_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REMEMBERED", 3)
    made = Rates(1, now=Clock())
    for key in range(5):
        made.take(key, place())
    assert list(made._buckets) == ["key 2", "key 3", "key 4"]
