"""What the door says of a visitor and what a row keeps, for each word a stage may have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pilothouse.gateway.visitors import Visitor, Visitors

MARCH, LATE_MARCH, APRIL = (
    datetime(2026, 3, 2, tzinfo=UTC),
    datetime(2026, 3, 31, 23, 59, tzinfo=UTC),
    datetime(2026, 4, 1, tzinfo=UTC),
)


def visitors(*usages: str, key: bytes = b"key") -> Visitors:
    """Stages 1, 2, … with these words."""
    return Visitors(lambda stage_id: usages[stage_id - 1], key)


def test_the_door_tells_an_id_a_pseudonym_or_nothing(frozen_clock: Any) -> None:
    some = visitors("named", "pseudonymous", "counts")
    assert (some.told(1, 3), some.told(3, 3)) == ("3", "")
    assert some.told(2, 3) == some.kept(2, "3", frozen_clock.moment).pseudonym


def test_a_pseudonym_is_one_person_on_one_stage_in_one_month() -> None:
    both = visitors("pseudonymous", "pseudonymous")

    def of(stage_id: int, principal_id: int, at: datetime) -> str | None:
        return both.kept(stage_id, str(principal_id), at).pseudonym

    assert of(1, 3, MARCH) == of(1, 3, LATE_MARCH)
    assert len({of(1, 3, MARCH), of(1, 3, APRIL), of(1, 4, MARCH), of(2, 3, MARCH)}) == 4
    assert of(1, 12, MARCH) != of(1, 1, MARCH)
    assert visitors("pseudonymous", key=b"other").kept(1, "3", MARCH).pseudonym != of(1, 3, MARCH)


def test_the_month_of_a_pseudonym_is_now_for_the_door(frozen_clock: Any) -> None:
    some = visitors("pseudonymous")
    first = some.told(1, 3)
    frozen_clock.advance(days=40)
    assert some.told(1, 3) != first


PSEUDONYM = "p" + "0" * 24


@pytest.mark.parametrize(
    ("usage", "told", "kept"),
    [
        ("named", "3", Visitor(principal_id=3, is_described=True)),
        ("named", "", Visitor(is_described=True)),
        ("named", PSEUDONYM, Visitor(pseudonym=PSEUDONYM)),
        ("pseudonymous", PSEUDONYM, Visitor(pseudonym=PSEUDONYM)),
        ("pseudonymous", "", Visitor()),
        ("counts", "3", Visitor()),
        ("counts", PSEUDONYM, Visitor()),
        ("named", "9" * 30, Visitor(is_described=True)),
        ("pseudonymous", "amara", Visitor()),
        ("a word of tomorrow", "3", Visitor()),
    ],
)
def test_a_row_keeps_no_more_than_the_stage_and_the_line_allow(usage: str, told: str, kept: Visitor) -> None:
    assert visitors(usage).kept(1, told, MARCH) == kept


def test_a_line_without_a_stage_keeps_nobody() -> None:
    assert visitors("named").kept(None, "3", MARCH) == Visitor()
