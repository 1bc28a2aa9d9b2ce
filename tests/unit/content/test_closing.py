"""Closing an item with a message, a path that is taken, and the page for programs."""

from __future__ import annotations

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish

from pilothouse.settings.branding import Web
from pilothouse.web.states import StatePages


def test_an_item_is_closed_with_a_message_and_opened_again(app: FastAPI, visitor: Visitor) -> None:
    base = f"/_/content/{publish(app, 'amara.okoye', 'Plant monitor', open_to='logged_in').guid}"
    visitor.sign_in("clara.voss")
    assert visitor.post(f"{base}/lock", data={"locked": "1"}).status_code == 403
    visitor.sign_in("amara.okoye")
    page = visitor.post(f"{base}/lock", data={"locked": "1", "message": "Until <i>noon</i>"}).text
    assert (
        "It is closed. Visitors read your message." in page
        and "Until &lt;i&gt;noon&lt;/i&gt;" in page
        and "locked" in page
    )
    assert "It is open again." in visitor.post(f"{base}/lock", data={"locked": ""}).text


def test_visitors_of_a_closed_item_read_its_message_as_text() -> None:
    page = StatePages(Web()).locked("Plant <b>monitor</b>", "Until <i>noon</i>").decode()
    assert "Until &lt;i&gt;noon&lt;/i&gt;" in page and "<b>" not in page
    assert "<pre" not in StatePages(Web()).locked("Plant monitor", "").decode()


def test_a_path_that_is_taken_names_the_other_item_to_those_who_may_see_it(app: FastAPI, visitor: Visitor) -> None:
    shared = publish(app, "henrik.dahl", "Handbook", open_to="logged_in").guid
    secret = publish(app, "henrik.dahl", "Secret thing").guid
    mine = publish(app, "amara.okoye", "Plant monitor").guid
    visitor.sign_in("henrik.dahl")
    visitor.post(f"/_/content/{shared}/address", data={"path": "book"})
    visitor.post(f"/_/content/{secret}/address", data={"path": "secret"})
    visitor.sign_in("amara.okoye")
    assert "leads to “Handbook”" in visitor.post(f"/_/content/{mine}/address", data={"path": "book/of/mine"}).text
    page = visitor.post(f"/_/content/{mine}/address", data={"path": "secret"}).text
    assert "leads to other content" in page and "Secret thing" not in page


def test_an_api_tells_programs_how_to_call_it(app: FastAPI, visitor: Visitor) -> None:
    api = publish(app, "amara.okoye", "Batch API", open_to="logged_in").guid
    public = publish(app, "amara.okoye", "Open API", mode="python-api", open_to="all").guid
    page = publish(app, "amara.okoye", "Handbook", mode="static", open_to="logged_in").guid
    visitor.sign_in("clara.voss")
    told = visitor.get(f"/_/content/{api}/api").text
    assert (
        f"http://localhost:3939/content/{api}/" in told and "Authorization: Key $KEY" in told and "openapi.json" in told
    )
    told = visitor.get(f"/_/content/{public}/api").text
    assert "Authorization" not in told and "openapi.json" not in told
    assert f"/_/content/{page}/api" not in visitor.get(f"/_/content/{page}").text
