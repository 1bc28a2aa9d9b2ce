"""Identifiers and randomness."""

from __future__ import annotations

import re

import pytest

from pilothouse.base.ids import is_guid, new_guid, new_key, new_token


def test_a_guid_is_lower_case_with_hyphens_and_new_each_time() -> None:
    made = {new_guid() for _ in range(50)}
    assert len(made) == 50
    assert all(is_guid(guid) for guid in made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "3F2C1A52-0d3f-4b7e-9d6b-0f6f2f9d8a11",
        "3f2c1a520d3f4b7e9d6b0f6f2f9d8a11",
        "3f2c1a52-0d3f-4b7e-9d6b-0f6f2f9d8a11\n",
        "../x",
    ],
)
def test_no_other_form_is_taken_for_one(text: str) -> None:
    assert not is_guid(text)


def test_a_token_has_the_bits_it_promises_and_fits_a_url() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", new_token())
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", new_token(16))
    assert new_token() != new_token()


def test_a_key_can_be_read_aloud() -> None:
    assert re.fullmatch(r"[a-km-np-z2-9]{16}", new_key())
    assert len(new_key(24)) == 24
