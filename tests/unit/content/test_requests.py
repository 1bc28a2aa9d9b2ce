"""Requests for access: asked from a refusal, answered from home or the access tab, told to whoever asked."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.audit.models import Event
from pilothouse.base.access import ANONYMOUS, Share
from pilothouse.base.errors import Denied
from pilothouse.content import service
from pilothouse.content.models import AccessRequest, Content
from pilothouse.content.service.requests import (
    OPEN_LIMIT,
    AccessThere,
    RequestAnswered,
    RequestUnknown,
    TooManyRequests,
)
from pilothouse.db import Tx


def item(tx: Tx, guid: str) -> Content:
    return tx.scalars(select(Content).where(Content.guid == guid)).one()


def test_who_may_not_open_an_item_asks_and_its_owner_lets_them_in_from_home(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    visitor.sign_in("clara.voss")
    refused = visitor.get(f"/_/content/{guid}")
    assert (
        refused.status_code == 404 and f"/_/content/{guid}/ask" in refused.text and "Plant monitor" not in refused.text
    )
    page = visitor.get(f"/_/content/{guid}/ask").text
    assert "Ask Amara Okoye" in page and "Plant monitor" not in page
    assert "You asked for access" in visitor.post(f"/_/content/{guid}/ask", data={"words": "For the <b>audit</b>"}).text
    home = visitor.get("/").text
    assert "Something of Amara Okoye" in home and "Take it back" in home and "Plant monitor" not in home

    visitor.sign_in("amara.okoye")
    home = visitor.get("/").text
    assert "People ask you" in home and "For the &lt;b&gt;audit&lt;/b&gt;" in home and "Quality" in home
    path = re.search(r"/_/home/requests/\d+", home)
    assert path is not None
    home = visitor.post(path[0], data={"share": "viewer", "words": "Welcome"}).text
    assert "People ask you" not in home

    visitor.sign_in("clara.voss")
    home = visitor.get("/").text
    assert "Plant monitor" in home and "Welcome" in home and "you may open it" in home
    away = re.search(r"/_/home/told/\d+/away", home)
    assert away is not None and "What you asked" not in visitor.post(away[0]).text
    assert visitor.get(f"/_/content/{guid}/ask", follow_redirects=False).status_code == 303


def test_the_access_tab_shows_who_asks_and_no_is_an_answer(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        number = service.ask_for_access(tx, principal(app, "clara.voss"), item(tx, guid)).id
    visitor.sign_in("amara.okoye")
    tab = visitor.get(f"/_/content/{guid}/access").text
    assert "Who asks for access" in tab and "Clara Voss" in tab
    path = f"/_/content/{guid}/access/requests/{number}"
    assert "Answered: no access." in visitor.post(path, data={"words": "Not before the audit."}).text
    assert visitor.post(path, data={"share": "viewer"}).status_code == 422, "it was answered"
    assert visitor.post(f"/_/content/{guid}/access/requests/999").status_code == 422
    visitor.sign_in("clara.voss")
    home = visitor.get("/").text
    assert "no access" in home and "Not before the audit." in home and "Plant monitor" not in home


def test_only_who_shares_an_item_answers(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        asked = service.ask_for_access(tx, principal(app, "clara.voss"), item(tx, guid))
        number = asked.id
        assert service.requests_to_answer(tx, principal(app, "henrik.dahl")) == []
        assert service.requests_to_answer(tx, principal(app, "jonas.brandt")) == [], (
            "administrators are not asked for others"
        )
    for name in ("clara.voss", "henrik.dahl"):
        visitor.sign_in(name)
        assert visitor.post(f"/_/home/requests/{number}", data={"share": "editor"}).status_code == 403
    with app.state.database.write() as tx:
        service.grant(
            tx, principal(app, "amara.okoye"), item(tx, guid), principal=_user(tx, "henrik.dahl"), share=Share.EDITOR
        )
    with app.state.database.read() as tx:
        assert [row.id for row, _, _ in service.requests_to_answer(tx, principal(app, "henrik.dahl"))] == [number]


def test_one_request_is_open_for_a_person_and_an_item_and_not_endless_many_in_all(app: FastAPI) -> None:
    guids = [publish(app, "amara.okoye", f"Item {n}").guid for n in range(OPEN_LIMIT + 1)]
    clara, amara = principal(app, "clara.voss"), principal(app, "amara.okoye")
    with app.state.database.write() as tx:
        first = service.ask_for_access(tx, clara, item(tx, guids[0]), words="Please")
        again = service.ask_for_access(tx, clara, item(tx, guids[0]), words="Please, please")
        assert first.id == again.id and again.words == "Please, please"
        with pytest.raises(AccessThere):
            service.ask_for_access(tx, amara, item(tx, guids[0]))
        for guid in guids[1:OPEN_LIMIT]:
            service.ask_for_access(tx, clara, item(tx, guid))
        with pytest.raises(TooManyRequests):
            service.ask_for_access(tx, clara, item(tx, guids[OPEN_LIMIT]))
        with pytest.raises(Denied):
            service.ask_for_access(tx, ANONYMOUS, item(tx, guids[0]))


def test_who_is_let_in_by_other_means_waits_no_longer(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    clara, amara = principal(app, "clara.voss"), principal(app, "amara.okoye")
    with app.state.database.write() as tx:
        asked = service.ask_for_access(tx, clara, item(tx, guid))
        service.grant(tx, amara, item(tx, guid), principal=_user(tx, "clara.voss"), share=Share.VIEWER)
        assert (asked.state, asked.share) == ("granted", "viewer")
        with pytest.raises(RequestAnswered):
            service.answer_request(tx, amara, item(tx, guid), asked, share=None)


def test_a_request_is_taken_back_by_who_made_it_only(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        asked = service.ask_for_access(tx, principal(app, "clara.voss"), item(tx, guid))
        with pytest.raises(RequestUnknown):
            service.put_away_request(tx, principal(app, "henrik.dahl"), asked.id)
        service.put_away_request(tx, principal(app, "clara.voss"), asked.id)
        assert tx.scalars(select(AccessRequest)).all() == []


def test_the_trail_knows_who_asked_and_who_answered_but_not_their_words(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        asked = service.ask_for_access(tx, principal(app, "clara.voss"), item(tx, guid), words="My reason")
        service.answer_request(tx, principal(app, "amara.okoye"), item(tx, guid), asked, share=None, words="Mine")
        events = {e.name: e for e in tx.scalars(select(Event).where(Event.name.startswith("content:request")))}
    assert set(events) == {"content:request:created", "content:request:answered"}
    assert not any("eason" in str(e.changes) or "Mine" in str(e.changes) for e in events.values())


def _user(tx: Tx, name: str):  # type: ignore[no-untyped-def]
    from pilothouse.identity import service as identity

    found = identity.find_user(tx, name)
    assert found is not None
    return found
