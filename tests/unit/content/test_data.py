"""The data shelf and the page of a pin."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.archives import targz
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.base import clock
from pilothouse.content.models import Bundle, Content
from pilothouse.gateway.models import UsageEvent
from pilothouse.storage.contract import put


def pin(app: FastAPI, owner: str, title: str, *, open_to: str = "logged_in") -> str:
    guid = publish(app, owner, title, mode="static", open_to=open_to).guid
    archive = targz(("data.txt", b"file: a.csv\ntype: csv\n"), ("a.csv", b"at,value\n1,<b>2</b>\n"))
    blob = put(app.state.blobs, [archive], limit=10_000)
    with app.state.database.write() as tx:
        row = tx.scalars(select(Content).where(Content.guid == guid)).one()
        row.category = "pin"
        bundle = tx.get(Bundle, row.bundle_id)
        assert bundle is not None
        bundle.digest = blob.digest
    return guid


def test_the_shelf_shows_pins_that_one_may_read_and_nothing_else(app: FastAPI, visitor: Visitor) -> None:
    pin(app, "amara.okoye", "Reactor readings")
    pin(app, "amara.okoye", "Secret figures", open_to="acl")
    publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    visitor.sign_in("clara.voss")
    page = visitor.get("/_/data").text
    assert "Reactor readings" in page and "1 dataset" in page and "1 version" in page
    assert "Secret figures" not in page and "Plant monitor" not in page
    assert "Nothing matches" in visitor.get("/_/data?q=zzz").text


def test_a_pin_shows_its_first_rows_how_to_read_it_and_to_its_owner_who_does(app: FastAPI, visitor: Visitor) -> None:
    guid = pin(app, "amara.okoye", "Reactor readings")
    with app.state.database.write() as tx:
        row = tx.scalars(select(Content).where(Content.guid == guid)).one()
        for number in range(3):
            tx.add(
                UsageEvent(
                    kind="hit", stream=f"s{number}", subject_kind="content", subject_id=row.id, stage_id=row.stage_id,
                    principal_id=principal(app, "henrik.dahl").id, started_at=clock.now(),
                )
            )  # fmt: skip
    visitor.sign_in("clara.voss")
    page = visitor.get(f"/_/content/{guid}").text
    assert "&lt;b&gt;2&lt;/b&gt;" in page and "Henrik Dahl" not in page
    assert "pin_read(&#34;amara.okoye/Reactor-readings&#34;)" in page.replace("reactor", "Reactor")
    assert "1 reader" in visitor.get("/_/data").text
    visitor.sign_in("amara.okoye")
    assert "Henrik Dahl" in visitor.get(f"/_/content/{guid}").text


def test_an_empty_shelf_teaches_publishers_to_pin(visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    assert "pin_write" in visitor.get("/_/data").text
    visitor.sign_in("clara.voss")
    assert "pin_write" not in visitor.get("/_/data").text
