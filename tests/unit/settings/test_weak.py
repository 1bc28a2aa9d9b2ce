"""Weak points of settings: each is told when it is there, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.settings import load, weak_points

TLS = '[server]\npublic_url = "https://pilot.example"\n'
OWN_NAME = TLS + 'content_host = "content.example"\n'
PROXY = '[gateway]\ntrusted_proxies = ["10.0.0.5"]\n'


def told(home: Path, settings: str) -> str:
    (home / "pilothouse.toml").write_text(settings)
    return "\n".join(weak_points(load(home, variables={})))


@pytest.mark.parametrize(
    ("settings", "words", "is_told"),
    [
        ("", "without TLS", False),
        ('[server]\nhost = "0.0.0.0"\n', "without TLS", True),
        ('[server]\npublic_url = "http://pilot.example"\n', "without TLS", True),
        (TLS, "without TLS", False),
        (TLS, "trusted_proxies", True),
        (TLS + PROXY, "trusted_proxies", False),
        ("", "content_host", False),
        (TLS, "content_host", True),
        (OWN_NAME, "content_host", False),
        (OWN_NAME, "Apps share one origin", True),
        (TLS + 'apps_host = "*.apps.example"\n', "Apps share one origin", False),
        (TLS + 'apps_host = "*.apps.example"\n', "content_host", False),
        ("[server]\nsingle_origin = true\n", "single_origin", True),
        ("", "single_origin", False),
    ],
)
def test_a_weak_point_is_told_where_it_is_one(tmp_path: Path, settings: str, words: str, is_told: bool) -> None:
    assert (words in told(tmp_path, settings)) is is_told
