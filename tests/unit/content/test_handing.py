"""Content is handed over and taken back: by whoever gave it away, while that is fresh, and by nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.audit.models import Event
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Share
from pilothouse.base.errors import Denied
from pilothouse.content import service
from pilothouse.content.contract import ContentInvalid
from pilothouse.content.models import Content, HandOver
from pilothouse.db import Tx
from pilothouse.identity import service as identity
from pilothouse.identity.models import User


def item(tx: Tx, guid: str) -> Content:
    return tx.scalars(select(Content).where(Content.guid == guid)).one()


def user(tx: Tx, name: str) -> User:
    found = identity.find_user(tx, name)
    assert found is not None
    return found


def owner(app: FastAPI, guid: str) -> str:
    with app.state.database.read() as tx:
        found = tx.get(User, item(tx, guid).owner_id)
        assert found is not None
        return found.username


def give(app: FastAPI, guid: str, giver: str, to: str) -> None:
    with app.state.database.write() as tx:
        service.hand_over(tx, principal(app, giver), item(tx, guid), to=user(tx, to))


def test_who_hands_it_over_loses_it_and_takes_it_back_with_one_click(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    base = f"/_/content/{guid}"
    visitor.sign_in("amara.okoye")
    page = visitor.post(f"{base}/owner", data={"owner": "henrik.dahl"})
    assert page.url.path == f"{base}/owner" and "Henrik Dahl owns Plant monitor now" in page.text
    assert f'action="{base}/owner/undo"' in page.text and "you can no longer open it" in page.text
    assert visitor.get(base).status_code == 404 and owner(app, guid) == "henrik.dahl"
    back = visitor.post(f"{base}/owner/undo")
    assert back.url.path == f"{base}/settings" and back.status_code == 200
    assert owner(app, guid) == "amara.okoye"
    assert visitor.post(f"{base}/owner/undo").status_code == 404, "once is enough"
    assert visitor.get(f"{base}/owner").url.path == base
    with app.state.database.read() as tx:
        chosen = Event.name == "content:content:updated", Event.actor_id == user(tx, "amara.okoye").id
        assert len(tx.scalars(select(Event).where(*chosen)).all()) == 2, "the trail knows who took it back"


def test_who_may_still_open_it_is_led_there(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    visitor.sign_in("jonas.brandt")
    page = visitor.post(f"/_/content/{guid}/owner", data={"owner": "henrik.dahl"}).text
    assert f'href="/_/content/{guid}">' in page and "no longer open it" not in page
    visitor.post(f"/_/content/{guid}/owner/undo")
    assert owner(app, guid) == "amara.okoye", "it goes back to whoever had it, not to who gave it"


def test_nobody_else_takes_it_back(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    give(app, guid, "amara.okoye", "henrik.dahl")
    for name in ("clara.voss", "henrik.dahl", "jonas.brandt"):
        visitor.sign_in(name)
        assert visitor.post(f"/_/content/{guid}/owner/undo").status_code == 404, name
    with app.state.database.write() as tx, pytest.raises(Denied):
        service.take_back(tx, principal(app, "clara.voss"), item(tx, guid))
    assert owner(app, guid) == "henrik.dahl"


@pytest.mark.parametrize("what", ["it is old", "it was handed on", "it was deleted", "they are viewers now"])
def test_it_is_too_late_once(app: FastAPI, visitor: Visitor, what: str) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    give(app, guid, "amara.okoye", "henrik.dahl")
    with app.state.database.write() as tx:
        kept, content = tx.scalars(select(HandOver)).one(), item(tx, guid)
        if what == "it is old":
            kept.created_at = clock.now() - timedelta(minutes=16)
        elif what == "it was deleted":
            service.delete_content(tx, SYSTEM, content)
        elif what == "it was handed on":
            service.update_content(tx, SYSTEM, content, changes={"owner_id": user(tx, "jonas.brandt").id})
        else:
            user(tx, "amara.okoye").role = "viewer"
    visitor.sign_in("amara.okoye")
    answer = visitor.post(f"/_/content/{guid}/owner/undo")
    assert answer.status_code == (403 if what == "they are viewers now" else 404)
    with app.state.database.write() as tx, pytest.raises(Denied):
        service.take_back(tx, principal(app, "amara.okoye"), item(tx, guid))
    assert owner(app, guid) != "amara.okoye"


def test_a_name_that_had_to_change_comes_back_unless_it_is_taken(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    other = publish(app, "henrik.dahl", "Plant monitor").guid
    give(app, guid, "amara.okoye", "henrik.dahl")
    with app.state.database.write() as tx:
        assert item(tx, guid).name.startswith("plant-monitor-")
        service.take_back(tx, principal(app, "amara.okoye"), item(tx, guid))
        assert item(tx, guid).name == "plant-monitor"
        with pytest.raises(ContentInvalid):
            service.take_back(tx, principal(app, "amara.okoye"), item(tx, guid))
    give(app, guid, "amara.okoye", "henrik.dahl")
    give(app, other, "henrik.dahl", "amara.okoye")
    with app.state.database.write() as tx:
        service.take_back(tx, principal(app, "amara.okoye"), item(tx, guid))
        assert item(tx, guid).name.startswith("plant-monitor-")


def test_an_editor_gives_it_away_and_back_without_gaining_anything(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor").guid
    with app.state.database.write() as tx:
        service.grant(tx, SYSTEM, item(tx, guid), principal=user(tx, "henrik.dahl"), share=Share.EDITOR)
    give(app, guid, "henrik.dahl", "jonas.brandt")
    with app.state.database.write() as tx:
        service.take_back(tx, principal(app, "henrik.dahl"), item(tx, guid))
    assert owner(app, guid) == "amara.okoye"
