"""Guessing is slow, and nobody locks somebody else out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.factories.identity import PASSWORD, add_user

from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.contract import Rules, TooManyFailures, WrongPassword
from pilothouse.identity.models import Failure
from pilothouse.identity.service import passwords
from pilothouse.identity.service.attempts import PATIENCE, SHARED_FACTOR, SLOWEST_BY_NAME, Attempt
from pilothouse.testing.clock import FrozenClock

RULES = Rules(failures_allowed=3)
OFFICE, HOME = "192.0.2.1", "198.51.100.1"
NONE = timedelta(0)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "matches", lambda password, hash_: bool(hash_) and password == PASSWORD)


def attempt(database: Database, username: str = "amara.okoye", address: str = OFFICE, rules: Rules = RULES) -> Attempt:
    return service.attempt(database, username=username, address=address, rules=rules)


def fail(database: Database, times: int = 1, **facts: str) -> None:
    for _ in range(times):
        with pytest.raises(WrongPassword):
            service.sign_in(database, attempt(database, **facts), password="wrong", user_agent="")


def sign_in(database: Database, **facts: str) -> timedelta:
    """Sign in with the right password; returns the pause that came before."""
    leave = attempt(database, **facts)
    service.sign_in(database, leave, password=PASSWORD, user_agent="")
    return leave.pause


def counts(database: Database) -> dict[str, int]:
    with database.read() as tx:
        return {f.bucket.partition(":")[0]: f.count for f in tx.scalars(select(Failure))}


def set_count(database: Database, kind: str, count: int) -> None:
    """As if so many had been tried before."""
    with database.write() as tx:
        (row,) = tx.scalars(select(Failure).where(Failure.bucket.startswith(f"{kind}:")))
        row.count = count


def test_failures_elsewhere_keep_nobody_out(database: Database) -> None:
    """Ten wrong passwords, or two hundred, from other addresses: the person signs in, and with no great pause."""
    add_user(database)
    for n in range(9):
        fail(database, 3, username="Amara.Okoye", address=f"203.0.113.{n}")
    assert sign_in(database) == NONE
    with pytest.raises(TooManyFailures):
        for n in range(200):
            attempt(database, address=f"203.0.113.{n}")
    assert sign_in(database) == NONE


def test_whoever_comes_from_a_new_place_waits_a_moment_once_the_crowd_is_gone(
    database: Database, frozen_clock: FrozenClock
) -> None:
    add_user(database)
    with pytest.raises(TooManyFailures, match="Wait 7 seconds"):
        for n in range(200):
            attempt(database, address=f"203.0.113.{n}")
    with pytest.raises(TooManyFailures):
        attempt(database, address=HOME)
    frozen_clock.advance(seconds=5)
    assert NONE < sign_in(database, address=HOME) <= PATIENCE


def test_a_name_is_tried_only_every_other_second_whatever_the_addresses(
    sqlite_database: Database, frozen_clock: FrozenClock
) -> None:
    for n in range(RULES.failures_allowed * SHARED_FACTOR):
        assert attempt(sqlite_database, address=f"203.0.113.{n}").pause == NONE
    tried = 0
    for n in range(600):
        frozen_clock.advance(seconds=0.1)
        with suppress(TooManyFailures):
            attempt(sqlite_database, address=f"2001:db8:{n:x}::1")
            tried += 1
    assert tried <= (60 + PATIENCE.total_seconds()) / SLOWEST_BY_NAME.total_seconds() + 2


def test_further_failures_with_a_name_from_an_address_wait_longer_each_time(
    database: Database, frozen_clock: FrozenClock
) -> None:
    add_user(database)
    fail(database, 3)
    assert [attempt(database).pause.total_seconds() for _ in range(3)] == [0, 1, 3]
    with pytest.raises(TooManyFailures, match="Wait 7 seconds and try again"):
        attempt(database)
    frozen_clock.advance(seconds=2)
    assert sign_in(database) == timedelta(seconds=5)


def test_who_goes_on_guessing_gets_one_attempt_in_a_share_of_the_window(
    sqlite_database: Database, frozen_clock: FrozenClock
) -> None:
    """Ten in fifteen minutes by default; here three, also an hour later."""
    tried = []
    for second in range(0, 3600, 2):
        with suppress(TooManyFailures):
            attempt(sqlite_database)
            tried.append(second)
        frozen_clock.advance(seconds=2)
    assert len([at for at in tried if at > 1800]) in (5, 6, 7)
    with pytest.raises(TooManyFailures, match=r"Wait \d{3} seconds"):
        for _ in range(3):
            attempt(sqlite_database)


def test_after_a_quiet_window_attempts_are_free_again(database: Database, frozen_clock: FrozenClock) -> None:
    for _ in range(6):
        attempt(database)
    frozen_clock.advance(minutes=15, seconds=10)
    assert [attempt(database).pause for _ in range(3)] == [NONE] * 3


def test_what_was_refused_counts_for_nothing(database: Database, frozen_clock: FrozenClock) -> None:
    with pytest.raises(TooManyFailures):
        for _ in range(20):
            attempt(database)
    before = counts(database)
    for _ in range(50):
        with pytest.raises(TooManyFailures):
            attempt(database)
    assert counts(database) == before


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("x" * 300, "x" * 300, True),
    ],
)
def test_failures_of_an_address_slow_all_names_from_there(
    database: Database, one: str, other: str, is_same: bool
) -> None:
    """Ten times as many are free as of a name: a whole office may stand behind one address."""
    attempt(database, username="nobody", address=one)
    set_count(database, "address", RULES.failures_allowed * SHARED_FACTOR + 1)
    attempt(database, username="nobody1", address=one)
    assert (attempt(database, username="nobody2", address=other).pause > NONE) is is_same


def test_success_forgets_the_failures_from_there_and_counts_for_nothing_itself(sqlite_database: Database) -> None:
    add_user(sqlite_database)
    fail(sqlite_database, 2)
    sign_in(sqlite_database)
    assert counts(sqlite_database) == {"address": 2, "name": 2}
    for _ in range(50):
        sign_in(sqlite_database)
    assert counts(sqlite_database) == {"address": 2, "name": 2}


def test_only_a_place_where_the_person_signed_in_is_known(database: Database) -> None:
    add_user(database)
    add_user(database, "henrik.dahl")
    assert any(b.startswith("name:") for b in attempt(database, address="2001:db8::1").buckets)
    sign_in(database, address="2001:db8::1")
    assert [b.partition(":")[0] for b in attempt(database, address="2001:db8::2").buckets] == ["pair", "address"]
    for stranger in ({"username": "henrik.dahl", "address": "2001:db8::1"}, {"username": "nobody"}, {"address": HOME}):
        assert any(b.startswith("name:") for b in attempt(database, **stranger).buckets)


def test_failures_long_past_are_swept_at_the_next_sign_in(database: Database, frozen_clock: FrozenClock) -> None:
    add_user(database)
    for n in range(4):
        fail(database, username=f"nobody{n}", address=f"203.0.113.{n}")
    frozen_clock.advance(minutes=16)
    fail(database, username="somebody", address=HOME)
    sign_in(database, address=HOME)
    assert counts(database) == {"pair": 1, "address": 1, "name": 1}


def test_attempts_at_the_same_moment_take_their_turns(database: Database, frozen_clock: FrozenClock) -> None:
    def one(_: int) -> float | None:
        try:
            return attempt(database, rules=Rules(failures_allowed=4)).pause.total_seconds()
        except TooManyFailures:
            return None

    work: Callable[[int], float | None] = one
    with ThreadPoolExecutor(8) as threads:
        pauses = list(threads.map(work, range(24)))
    assert sorted(pause for pause in pauses if pause is not None) == [0, 0, 0, 0, 0, 1, 3]
    assert counts(database) == {"pair": 7, "address": 7, "name": 7}


@pytest.mark.parametrize("name", ["\x00", "\ud800", "", "x" * 5000])
def test_odd_names_are_counted_like_others(database: Database, name: str) -> None:
    assert attempt(database, username=name).pause == NONE
