"""Passwords are hashed with argon2id, a few at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from tests.factories.identity import PASSWORD, hashed

from pilothouse.identity.service import passwords


def test_a_password_fits_its_own_hash_only() -> None:
    assert passwords.matches(PASSWORD, hashed())
    assert not passwords.matches(PASSWORD + " ", hashed())
    assert not passwords.matches("", hashed())


def test_nothing_fits_no_hash_or_a_broken_one() -> None:
    assert not passwords.matches(PASSWORD, None)
    assert not passwords.matches("", "")
    assert not passwords.matches(PASSWORD, "plain:" + PASSWORD)


def test_text_that_is_no_text_fits_nothing() -> None:
    assert not passwords.matches("\ud800", hashed())


def test_hashes_are_argon2id_and_salted() -> None:
    other = passwords.hash_password(PASSWORD)
    assert other.startswith("$argon2id$") and other != hashed()


def test_somebody_unknown_costs_as_much_as_somebody_known() -> None:
    assert extract_parameters(passwords._DUMMY) == extract_parameters(hashed())
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(passwords._DUMMY, PASSWORD)


def test_no_more_passwords_are_hashed_at_once_than_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, seen = threading.Lock(), 0, []

    class Slow:
        def hash(self, password: bytes) -> str:
            nonlocal running
            with lock:
                running += 1
                seen.append(running)
            time.sleep(0.02)
            with lock:
                running -= 1
            return ""

    monkeypatch.setattr(passwords, "_hasher", Slow())
    monkeypatch.setattr(passwords, "_slots", passwords._slots)
    passwords.set_concurrency(3)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(passwords.hash_password, ["x"] * 12))
    assert max(seen) == 3
