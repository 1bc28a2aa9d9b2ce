"""What all pages share: policy, language, stages, and where addresses lead."""

from __future__ import annotations

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish


def test_every_page_carries_the_policy_that_allows_no_inline_code_and_frames_only_content(visitor: Visitor) -> None:
    policy = visitor.get("/__login__").headers["content-security-policy"]
    assert "script-src 'self';" in policy and "style-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "frame-src 'self' http://localhost:3940" in policy and "unsafe" not in policy


def test_links_of_a_stage_stay_in_it(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    page = visitor.get("/prod/").text
    assert 'href="/prod/_/content"' in page and "rsconnect add -s http://localhost:3939/prod -n prod" in page


def test_the_pages_speak_german_to_those_who_ask_for_it(visitor: Visitor) -> None:
    page = visitor.get("/__login__", headers={"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}).text
    assert '<html lang="de"' in page and "Anmelden" in page


def test_the_addresses_that_clients_print_lead_to_a_page(visitor: Visitor) -> None:
    page = visitor.get("/connect").text
    assert "connect.js" in page and 'data-base=""' in page


def test_a_refusal_names_the_rule_who_decides_and_how_to_ask(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("clara.voss")
    page = visitor.get(f"/_/content/{item.guid}/settings").text
    assert "Ask Amara Okoye" in page and f'href="/_/content/{item.guid}/questions"' in page
    assert "content:content:update" in page and f"/_/content/{item.guid}/settings" in page
    assert "An administrator" in visitor.get("/_/admin").text


def test_a_refusal_does_not_betray_who_owns_what_one_may_not_see(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Secret thing")
    visitor.sign_in("clara.voss")
    assert "Okoye" not in visitor.get(f"/_/content/{item.guid}/settings").text


def test_a_refusal_reads_well_in_german_too(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("clara.voss")
    english = visitor.get(f"/_/content/{item.guid}/settings").text
    german = visitor.get(f"/_/content/{item.guid}/settings", headers={"Accept-Language": "de"})
    assert english.count("You may not do this") == 2, "as title and heading; the sentence says it needs the permission"
    assert "It needs the permission content:content:update." in english
    assert (
        german.status_code == 403 and "Dafür fehlt Ihnen ein Recht" in german.text and "permission" not in german.text
    )
    nowhere = visitor.get("/_/content/00000000-0000-0000-0000-000000000000", headers={"Accept-Language": "de"})
    assert nowhere.status_code == 404 and "Das gibt es nicht" in nowhere.text
