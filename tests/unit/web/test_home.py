"""The home page: what is being built, what is yours, what needs doing."""

from __future__ import annotations

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.content import service as content
from pilothouse.content.models import Content


def test_home_teaches_the_first_steps_with_this_server_and_then_shows_what_is_yours(
    app: FastAPI, visitor: Visitor
) -> None:
    visitor.sign_in("amara.okoye")
    assert "rsconnect add -s http://localhost:3939 -n dev -k KEY" in visitor.get("/").text
    publish(app, "amara.okoye", "Plant monitor")
    page = visitor.get("/").text
    assert "rsconnect add" not in page
    assert "Plant monitor" in page and "running" in page


def test_home_shows_what_is_being_built_to_those_who_may_see_it(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Mixing explorer", state="running")
    publish(app, "henrik.dahl", "Secret thing", state="running")
    visitor.sign_in("amara.okoye")
    now = visitor.get("/_/home/now").text
    assert "Mixing explorer" in now and "31 of 42 packages" in now and "every 1s" in now
    assert "Secret thing" not in now


def test_a_viewer_sees_that_something_is_built_but_not_its_log(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Mixing explorer", state="running", open_to="logged_in")
    visitor.sign_in("clara.voss")
    now = visitor.get("/_/home/now").text
    assert "Mixing explorer" in now and "packages" not in now and "/log" not in now


def test_an_operator_reads_what_needs_doing_with_its_cause(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "Nothing needs doing." in visitor.get("/").text
    publish(app, "henrik.dahl", "Batch API", state="failed", error="No Python 3.14 is installed.")
    assert "Batch API: No Python 3.14 is installed." in visitor.get("/").text


def test_an_operator_of_a_server_in_use_is_not_taught_to_publish(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    assert "Publish your first app" in visitor.get("/").text
    publish(app, "amara.okoye", "Plant monitor")
    page = visitor.get("/").text
    assert "Publish your first app" not in page and "Plant monitor" in page


def test_a_viewer_finds_favourites_then_what_is_featured_then_what_is_shared(app: FastAPI, visitor: Visitor) -> None:
    for title in ("Plant monitor", "Shelf life", "Handbook"):
        publish(app, "amara.okoye", title, open_to="logged_in")
    publish(app, "amara.okoye", "Secret thing")
    with app.state.database.write() as tx:
        items = {row.title: row for row in tx.query(Content)}
        content.keep_at_hand(tx, principal(app, "clara.voss"), items["Handbook"], kept=True)
        for title in ("Shelf life", "Secret thing"):
            content.feature(tx, principal(app, "jonas.brandt"), items[title], featured=True)
    visitor.sign_in("clara.voss")
    _, _, page = visitor.get("/").text.partition("</section>")  # what was deployed just now stands above
    order = [
        page.index(f">{words}<")
        for words in ("Favourites", "Handbook", "Featured", "Shelf life", "Shared with you", "Plant monitor")
    ]
    assert order == sorted(order) and "Secret thing" not in page
    assert page.count(">Handbook<") == 1, "no item stands on two shelves"


def test_what_fails_asks_for_its_owner_and_for_nobody_else(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    publish(app, "amara.okoye", "Batch API", state="failed", error="No Python 3.14 is installed.", open_to="logged_in")
    visitor.sign_in("amara.okoye")
    page = visitor.get("/").text
    assert "Needs you" in page and "Batch API: No Python 3.14 is installed." in page
    visitor.sign_in("henrik.dahl")
    assert "No Python 3.14" not in visitor.get("/").text
