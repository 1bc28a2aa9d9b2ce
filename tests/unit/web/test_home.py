"""The home page: what is being built, what is yours, what needs doing."""

from __future__ import annotations

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish


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
