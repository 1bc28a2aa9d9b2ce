"""People and what they publish: found by everybody who is signed in, shown only what the reader may see."""

from __future__ import annotations

from datetime import timedelta

from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.base import clock
from pilothouse.content import service as content
from pilothouse.content.models import Content, Deployment
from pilothouse.identity import service as identity
from pilothouse.identity.models import User


def deployed(app: FastAPI, guid: str, by: str, *, days_ago: float = 0) -> None:
    with app.state.database.write() as tx:
        row = tx.scalars(select(Content).where(Content.guid == guid)).one()
        at = clock.now() - timedelta(days=days_ago)
        tx.add(Deployment(content_id=row.id, bundle_id=row.bundle_id, actor_id=principal(app, by).id, activated_at=at))


def person_path(app: FastAPI, name: str) -> str:
    return f"/_/people/{principal(app, name).guid}"


def test_people_are_found_by_name_and_department(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor", open_to="logged_in")
    publish(app, "amara.okoye", "Secret thing")
    visitor.sign_in("clara.voss")
    page = visitor.get("/_/people").text
    assert "4 people" in page and "publishes 1 item<" in page and "publishes nothing you may open" in page
    assert "Amara Okoye" not in visitor.get("/_/people?q=henrik").text
    assert "1 person" in visitor.get("/_/people?department=Research").text
    assert "1 person" in visitor.get("/_/people?q=okoye+process").text
    assert "Nobody matches" in visitor.get("/_/people?q=zzz&department=No+such").text


def test_a_person_shows_what_the_reader_may_see_of_theirs(app: FastAPI, visitor: Visitor) -> None:
    deployed(app, publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid, "amara.okoye")
    deployed(app, publish(app, "amara.okoye", "Secret thing").guid, "amara.okoye")
    visitor.sign_in("clara.voss")
    page = visitor.get(person_path(app, "amara.okoye")).text
    assert "Plant monitor" in page and "Secret thing" not in page and "mailto:amara.okoye@veridia.example" in page
    assert "Process engineering" in page and "/_/admin" not in page
    assert "Change your profile" in visitor.get(person_path(app, "clara.voss")).text
    assert visitor.get("/_/people/3f2c1a52-0d3f-4b7e-9d6b-0f6f2f9d8a11").status_code == 404


def test_who_is_locked_deleted_or_a_machine_is_not_among_the_people(app: FastAPI, visitor: Visitor) -> None:
    with app.state.database.write() as tx:
        users = {user.username: user for user in tx.scalars(select(User))}
        identity.lock_user(tx, principal(app, "jonas.brandt"), users["henrik.dahl"], locked=True)
        users["amara.okoye"].is_service_account = True
    visitor.sign_in("clara.voss")
    page = visitor.get("/_/people").text
    assert "2 people" in page and "Henrik" not in page and "Amara" not in page


def test_the_feed_shows_what_colleagues_published_by_day_and_only_what_one_may_see(
    app: FastAPI, visitor: Visitor
) -> None:
    plant = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    secret = publish(app, "amara.okoye", "Secret thing").guid
    book = publish(app, "henrik.dahl", "Handbook", open_to="logged_in").guid
    deployed(app, plant, "amara.okoye", days_ago=3)
    for guid in (secret, book, plant, plant):
        deployed(app, guid, "henrik.dahl")
    with app.state.database.write() as tx:
        row = tx.scalars(select(Content).where(Content.guid == book)).one()
        content.set_tags(tx, principal(app, "henrik.dahl"), row, names=["manuals"])
    visitor.sign_in("clara.voss")
    page = visitor.get("/_/activity").text
    assert "Secret thing" not in page and "Today" in page
    assert page.count("brought 2 new versions of") == 1 and page.count(">published<") + page.count("published <a") == 2
    assert "Plant monitor" not in visitor.get("/_/activity?tag=manuals").text
    assert "Handbook" not in visitor.get("/_/activity?department=Process+engineering").text
    assert "Nothing of that kind yet" in visitor.get("/_/activity?tag=nothing").text
    assert "Nothing was published yet" in visitor.get(f"/_/activity?before={1}").text


def test_the_palette_finds_people_for_everybody(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("clara.voss")
    found = visitor.get("/_/palette?q=amara").text
    assert "Amara Okoye" in found and person_path(app, "amara.okoye") in found
