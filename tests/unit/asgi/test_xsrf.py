"""Only our own pages change things with a cookie."""

from __future__ import annotations

import pytest

from pilothouse.asgi import xsrf
from pilothouse.asgi.xsrf import ForeignRequest, check, token

OWN = ["http://localhost:3939", "https://ph.veridia.example"]
EXPECTED = token(b"k" * 32, "login1")


def passes(method: str = "POST", origin: str | None = OWN[0], given: str | None = EXPECTED) -> bool:
    try:
        check(method, origin=origin, own_origins=OWN, given=given, expected=EXPECTED)
    except ForeignRequest:
        return False
    return True


def test_our_own_page_passes() -> None:
    assert passes() and passes(origin=OWN[1])


def test_a_program_that_says_no_origin_passes_with_the_token_only() -> None:
    assert passes(origin=None)
    assert not passes(origin=None, given=None)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "BREW"])
@pytest.mark.parametrize("given", [None, "", "x", EXPECTED[:-1], EXPECTED + "=", "é" * 43])
def test_without_the_right_token_nothing_changes(method: str, given: str | None) -> None:
    assert not passes(method, given=given)


@pytest.mark.parametrize(
    "origin",
    ["", "null", "http://localhost", "http://localhost:3940", "https://localhost:3939", "http://localhost:3939.evil.example",
     "http://evil.example", "HTTP://LOCALHOST:3939"],
)  # fmt: skip
def test_no_token_helps_another_origin(origin: str) -> None:
    assert not passes(origin=origin)


@pytest.mark.parametrize("method", sorted(xsrf.SAFE))
def test_reading_needs_no_token(method: str) -> None:
    assert passes(method, origin="http://evil.example", given=None)


def test_a_token_belongs_to_one_login_and_one_key() -> None:
    assert len({EXPECTED, token(b"k" * 32, "login2"), token(b"j" * 32, "login1")}) == 3
    assert token(b"k" * 32, "login1") == EXPECTED
    assert set(EXPECTED) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
