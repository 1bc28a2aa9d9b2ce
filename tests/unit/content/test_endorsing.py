"""The mark of trust: given by stewards, never by owners, and ended by a change of owner."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.audit.models import Event
from pilothouse.base.errors import Denied
from pilothouse.content import service
from pilothouse.content.models import Content, Endorsement
from pilothouse.content.service.endorsing import OwnEndorsement
from pilothouse.db import Tx
from pilothouse.identity import service as identity


def item(tx: Tx, guid: str) -> Content:
    return tx.scalars(select(Content).where(Content.guid == guid)).one()


def name_steward(app: FastAPI, username: str, *, named: bool = True) -> None:
    with app.state.database.write() as tx:
        user = identity.find_user(tx, username)
        assert user is not None
        service.name_steward(tx, principal(app, "jonas.brandt"), user, named=named)


def test_a_steward_endorses_with_a_sentence_and_everybody_sees_it(app: FastAPI, visitor: Visitor) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    publish(app, "amara.okoye", "Another", open_to="logged_in")
    name_steward(app, "henrik.dahl")
    visitor.sign_in("henrik.dahl")
    assert "Endorse it" in visitor.get(f"/_/content/{guid}").text
    assert visitor.post(f"/_/content/{guid}/endorse", data={"words": " "}).status_code == 422
    page = visitor.post(f"/_/content/{guid}/endorse", data={"words": "Checked against <b>LIMS</b>"}).text
    assert "You endorse it." in page and "Checked against &lt;b&gt;LIMS&lt;/b&gt;" in page
    visitor.sign_in("clara.voss")
    page = visitor.get(f"/_/content/{guid}").text
    assert "Endorsed by Henrik Dahl" in page and "/endorse" not in page
    assert visitor.get("/_/content").text.count("Endorsed by Henrik Dahl") >= 1
    found = visitor.get("/_/content?endorsed=1").text
    assert "Plant monitor" in found and "Another" not in found
    visitor.sign_in("jonas.brandt")
    assert "no longer endorsed" in visitor.post(f"/_/content/{guid}/endorse", data={"withdrawn": "1"}).text


def test_only_stewards_and_administrators_endorse_and_nobody_what_is_theirs(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    secret = publish(app, "amara.okoye", "Secret thing").guid
    for name in ("clara.voss", "henrik.dahl", "amara.okoye"):
        with pytest.raises(Denied), app.state.database.write() as tx:
            service.endorse(tx, principal(app, name), item(tx, guid), words="Good")
        with pytest.raises(Denied), app.state.database.write() as tx:
            service.withdraw(tx, principal(app, name), item(tx, guid))
        with pytest.raises(Denied), app.state.database.write() as tx:
            service.name_steward(tx, principal(app, name), identity.find_user(tx, name), named=True)  # type: ignore[arg-type]
    name_steward(app, "amara.okoye")
    name_steward(app, "henrik.dahl")
    with pytest.raises(OwnEndorsement), app.state.database.write() as tx:
        service.endorse(tx, principal(app, "amara.okoye"), item(tx, guid), words="Good")
    with pytest.raises(Denied), app.state.database.write() as tx:
        service.endorse(tx, principal(app, "henrik.dahl"), item(tx, secret), words="Good")


def test_a_change_of_owner_ends_it_and_the_end_of_a_stewardship_does_not(app: FastAPI) -> None:
    guid = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    name_steward(app, "henrik.dahl")
    with app.state.database.write() as tx:
        service.endorse(tx, principal(app, "henrik.dahl"), item(tx, guid), words="Good")
    name_steward(app, "henrik.dahl", named=False)
    with app.state.database.write() as tx:
        assert (
            service.endorsements_of(tx, [item(tx, guid)]) != {}
            and service.stewards(tx, principal(app, "clara.voss")) == []
        )
        to = identity.find_user(tx, "jonas.brandt")
        assert to is not None
        service.hand_over(tx, principal(app, "amara.okoye"), item(tx, guid), to=to)
        assert tx.scalars(select(Endorsement)).all() == []
        events = [
            e.name for e in tx.scalars(select(Event).order_by(Event.id)) if "endorse" in e.name or "steward" in e.name
        ]
    assert events == [
        "content:steward:named",
        "content:endorsement:granted",
        "content:steward:named",
        "content:endorsement:ended",
    ]
