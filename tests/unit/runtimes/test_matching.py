"""Which version serves a wish, and what a refusal says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.runtimes.contract import NoMatchingRuntime, Runtime
from pilothouse.runtimes.matching import Policy, match

INSTALLED = [Runtime("python", v, Path("/usr/bin/python3"), "build") for v in ("3.13.1", "3.12.4", "3.12.1", "3.10.9")]


@pytest.mark.parametrize(
    ("wanted", "policy", "chosen"),
    [
        ("3.12.4", "exact", "3.12.4"),
        ("3.12.2", "nearest", "3.12.1"),
        ("3.11.5", "any", "3.12.4"),
        ("3.14.0", "any", "3.13.1"),
    ],
)
def test_a_version_is_matched_by_the_rule(wanted: str, policy: Policy, chosen: str) -> None:
    assert match(wanted, None, INSTALLED, policy).version == chosen


@pytest.mark.parametrize(("wanted", "policy"), [("3.12.2", "exact"), ("3.11.5", "nearest")])
def test_a_stricter_rule_refuses(wanted: str, policy: Policy) -> None:
    with pytest.raises(NoMatchingRuntime):
        match(wanted, None, INSTALLED, policy)


@pytest.mark.parametrize(
    ("wanted", "requires", "line", "nearest"),
    [
        ("3.11.5", None, "python 3.11", "3.12.1"),
        (None, ">=3.14", "python 3.14", "3.13.1"),
        (None, "<3.9", "python 3.8", "3.10.9"),
        (None, "==3.11.7", "python 3.11.7", "3.10.9"),
    ],
)
def test_a_refusal_names_the_nearest_first_and_the_line_for_the_administrator(
    wanted: str | None, requires: str | None, line: str, nearest: str
) -> None:
    with pytest.raises(NoMatchingRuntime) as refused:
        match(wanted, requires, INSTALLED, "nearest")
    assert f"Installed, nearest first: {nearest}" in str(refused.value)
    assert str(refused.value).endswith(f"pilothouse runtime add {line}")


def test_the_exact_rule_names_the_full_version() -> None:
    with pytest.raises(NoMatchingRuntime, match=r"runtime add python 3\.12\.2$"):
        match("3.12.2", None, INSTALLED, "exact")
