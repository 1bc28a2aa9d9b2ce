"""Public addresses: by port, by name, by item."""

from __future__ import annotations

import pytest

from pilothouse.asgi.origins import Origins, name_of
from pilothouse.stages import StageRef

GUID = "0f4c1b1e-5f1a-4a5e-9d1c-2f6a0c9a7e11"
DEV = StageRef(1, "dev", "Development", "/", None, 0)
PROD = StageRef(2, "prod", "Production", "/", "prod.example.com", 1)
LIVE = StageRef(3, "live", "Live", "/live/", "live.example.com", 2, content_host="live-content.example.com")
BY_PORT = Origins("http://localhost:3939", port=3939, content_port=3940)
NAMED = Origins(
    "https://dash.example.com", port=3939, content_port=3940, is_fixed=True, content_host="content.example.com"
)
EACH = Origins("http://dash.example.com:8080", port=8080, content_port=8081, is_fixed=True, apps_domain="apps.example.com")  # fmt: skip


def test_without_a_public_url_everybody_stays_at_the_name_they_came_by() -> None:
    assert BY_PORT.dashboard("lab:3939", DEV) == "http://lab:3939"
    assert BY_PORT.content("lab:3939", DEV, GUID) == "http://lab:3940"
    assert BY_PORT.content("[::1]:3939", DEV, GUID) == "http://[::1]:3940"
    assert BY_PORT.opened("lab", DEV, GUID, "/content/x/") == "http://lab:3940/content/x/"
    assert (BY_PORT.beside("lab:3939", [DEV]), BY_PORT.is_entered("lab", [DEV])) == ("http://lab:3940", False)


def test_names_have_scheme_and_port_of_the_public_url() -> None:
    assert NAMED.content("anything", DEV, GUID) == "https://content.example.com"
    assert EACH.content("anything", DEV, GUID) == f"http://{GUID}.apps.example.com:8080"
    assert NAMED.opened("x", DEV, GUID, "/content/a b/") == (
        "https://content.example.com/_/enter?url=%2Fcontent%2Fa%20b%2F"
    )


def test_a_stage_with_names_of_its_own_has_pages_and_content_there() -> None:
    assert NAMED.dashboard("x", PROD) == NAMED.stage_url(PROD) == "https://prod.example.com"
    assert NAMED.stage_url(LIVE) == "https://live.example.com/live"
    assert NAMED.content("x", LIVE, GUID) == "https://live-content.example.com"
    bare = Origins("https://dash.example.com", port=3939, content_port=3940, is_fixed=True)
    assert bare.content("x", PROD, GUID) == "https://prod.example.com:3940"
    assert bare.content("x", DEV, GUID) == "https://dash.example.com:3940"


@pytest.mark.parametrize(
    ("host", "item"),
    [
        (f"{GUID}.apps.example.com:8080", GUID),
        (f"{GUID}.APPS.example.com", GUID),
        ("other.apps.example.com", ""),
        (f"x.{GUID}.apps.example.com", ""),
        ("apps.example.com", None),
        (f"{GUID}.apps.example.com.evil.example", None),
        (f"{GUID}apps.example.com", None),
    ],
)
def test_a_name_below_the_domain_of_apps_is_one_items_or_nobodys(host: str, item: str | None) -> None:
    assert EACH.item_of(host) == item


def test_only_names_of_ours_get_logins_from_the_dashboard() -> None:
    stages = [DEV, PROD, LIVE]
    for host in ("content.example.com:443", "prod.example.com", "live.example.com", "live-content.example.com"):
        assert NAMED.is_entered(host, stages), host
    for host in ("dash.example.com", "localhost", "evil.example", "", "content.example.com.evil.example", "None"):
        assert not NAMED.is_entered(host, stages), host
    assert EACH.is_entered(f"{GUID}.apps.example.com:8080", stages)
    assert not EACH.is_entered("other.apps.example.com", stages)


def test_a_page_may_frame_and_lead_to_every_origin_of_ours_and_no_other() -> None:
    assert EACH.beside("dash.example.com:8080", [DEV]).split() == [
        "http://*.apps.example.com:8080",
        "http://dash.example.com:8080",
    ]
    assert NAMED.beside("dash.example.com", [DEV, LIVE]).split() == [
        "https://content.example.com",
        "https://live-content.example.com",
        "https://dash.example.com",
        "https://live.example.com",
    ]


@pytest.mark.parametrize(
    ("host", "name"), [("A.example:80", "a.example"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")]
)
def test_the_name_of_a_host_is_without_its_port(host: str, name: str) -> None:
    assert name_of(host) == name
