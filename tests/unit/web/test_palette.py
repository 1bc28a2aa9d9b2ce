"""What the command palette finds, and for whom."""

from __future__ import annotations

import re

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish


def test_an_empty_palette_offers_places_actions_and_the_latest_content(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("amara.okoye")
    found = visitor.get("/_/palette").text
    assert f"/_/content/{item.guid}" in found and "Sign out" in found and "g c" in found
    assert "Administration" not in found


def test_what_one_may_not_see_is_not_found(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Secret recipe")
    visitor.sign_in("henrik.dahl")
    found = visitor.get("/_/palette?q=secret").text
    assert "Secret recipe" not in found and "server.public_url" not in found
    for query in ("quality", "port"):
        found = visitor.get(f"/_/palette?q={query}").text
        assert "Quality circle" not in found and "server.port" not in found


def test_administrators_find_people_groups_options_and_the_parts_of_the_administration(visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert re.search("/_/people/[0-9a-f-]{36}", visitor.get("/_/palette?q=clara").text)
    assert "Quality circle" in visitor.get("/_/palette?q=quality").text
    assert "/_/admin/settings#identity.login_lifetime" in visitor.get("/_/palette?q=lifetime").text
    assert "/_/admin/audit" in visitor.get("/_/palette?q=audit").text


def test_every_typed_word_must_be_part_of_what_is_found(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    found = visitor.get("/_/palette?q=dark+look").text
    assert "Use the dark look" in found and "Use the light look" not in found
    assert 'href="/_/search?q=dark%20look"' in found


def test_what_was_typed_is_shown_as_text(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    found = visitor.get("/_/palette", params={"q": "<b>x</b>"}).text
    assert "<b>" not in found


def test_the_palette_of_a_stage_stays_in_it_and_leads_to_the_others(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    found = visitor.get("/prod/_/palette", headers={"Accept-Language": "de"}).text
    assert 'href="/prod/_/account"' in found and "Development" in found and "Abmelden" in found
