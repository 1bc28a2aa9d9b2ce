"""What administrators do for everybody: announce, compose the home page, hand over what a leaver owns; and the one search."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.base import clock
from pilothouse.base.access import SYSTEM
from pilothouse.content.models import Content
from pilothouse.db import Database, DatabaseDown, Watch
from pilothouse.gateway.models import UsageEvent
from pilothouse.testing.clock import FrozenClock
from pilothouse.web.service.announcing import Board, announce

ADMIN = "/_/admin"


def test_an_announcement_stands_on_every_page_until_it_is_put_away_or_ended(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    page = visitor.post(f"{ADMIN}/announcements", data={"words": "Upgrade on <b>Saturday</b>", "until": ""}).text
    end = re.search(r"/_/admin/announcements/\d+/end", page)
    assert end is not None and "Everybody who is signed in reads it now." in page
    visitor.sign_in("clara.voss")
    assert "Upgrade on &lt;b&gt;Saturday&lt;/b&gt;" in visitor.get("/_/people").text
    away = re.search(r"/_/announcements/\d+/away", visitor.get("/").text)
    assert away is not None and visitor.post(away[0]).text == ""
    assert "Saturday" not in visitor.get("/").text
    visitor.cookies.delete("ph_put_away")
    assert "Saturday" in visitor.get("/").text
    visitor.sign_in("jonas.brandt")
    assert "It is shown no longer." in visitor.post(end[0]).text
    assert "announcement" not in visitor.get("/").text


def test_the_page_that_says_that_the_database_is_away_needs_none_for_its_announcements(
    frozen_clock: FrozenClock, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(sqlite_database, Watch(sqlite_database))
    with sqlite_database.write() as tx:
        announce(tx, SYSTEM, words="Upgrade", until=None)
    assert [words for _, words in board.shown()] == ["Upgrade"]

    def away() -> None:
        raise DatabaseDown

    monkeypatch.setattr(sqlite_database, "read", away)
    frozen_clock.advance(days=1)
    assert [words for _, words in board.shown()] == ["Upgrade"]
    assert Board(sqlite_database, Watch(sqlite_database)).shown() == []


def test_an_announcement_ends_by_itself_and_is_bounded(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("jonas.brandt")
    path, tomorrow = f"{ADMIN}/announcements", (clock.now() + timedelta(days=1)).date().isoformat()
    for words, until in (("", ""), ("x" * 401, ""), ("Late", "2001-01-01"), ("Odd", "tomorrow")):
        answer = visitor.post(path, data={"words": words, "until": until})
        assert answer.status_code == 422 and words[:50] in answer.text
    for _ in range(3):
        assert visitor.post(path, data={"words": "Upgrade", "until": tomorrow}).status_code == 200
    assert "End one of them first" in visitor.post(path, data={"words": "One more"}).text
    visitor.sign_in("amara.okoye")
    assert visitor.get(path).status_code == visitor.post(path, data={"words": "Mine"}).status_code == 403
    assert visitor.post(f"{path}/1/end").status_code == 403


def test_the_home_page_is_composed_and_shows_each_reader_what_they_may_open(app: FastAPI, visitor: Visitor) -> None:
    shared = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    secret = publish(app, "amara.okoye", "Secret thing").guid
    visitor.sign_in("jonas.brandt")
    base = f"{ADMIN}/home"
    visitor.post(f"{base}/add", data={"heading": "Start <here>"})
    visitor.post(f"{base}/add", data={"heading": "Hidden"})
    visitor.post(f"{base}/put", data={"section": "0", "guid": shared})
    assert "Saved." in visitor.post(f"{base}/put", data={"section": "1", "guid": secret}).text
    for data in ({"section": "7", "heading": "x"}, {"section": "0", "heading": " "}):
        assert visitor.post(f"{base}/rename", data=data).status_code == 422
    assert visitor.post(f"{base}/put", data={"section": "0", "guid": "nonsense"}).status_code == 422
    page = visitor.post(f"{base}/move", data={"section": "1", "by": "-1"}).text
    assert page.index("Hidden") < page.index("Start &lt;here&gt;")
    visitor.sign_in("clara.voss")
    home = visitor.get("/").text
    assert "Start &lt;here&gt;" in home and "Hidden" not in home and "Secret thing" not in home
    assert visitor.post(f"{base}/add", data={"heading": "Mine"}).status_code == 403
    visitor.sign_in("jonas.brandt")
    visitor.post(f"{base}/take", data={"section": "1", "guid": shared})
    assert "Start" not in visitor.post(f"{base}/remove", data={"section": "1"}).text.split("<main")[1]


def test_all_that_a_leaver_owns_is_handed_over_at_once_and_taken_back(app: FastAPI, visitor: Visitor) -> None:
    guids = {publish(app, "amara.okoye", title).guid for title in ("Plant monitor", "Mixing explorer")}
    publish(app, "henrik.dahl", "Plant monitor")  # of the same name
    page = f"{ADMIN}/users/{principal(app, 'amara.okoye').guid}"
    visitor.sign_in("jonas.brandt")
    assert "Hand over 2 items" in visitor.get(page).text and page in visitor.get(f"{ADMIN}/users").text
    for name in ("clara.voss", "amara.okoye", "nobody", ""):
        assert visitor.post(f"{page}/hand-over", data={"owner": name}).status_code == 422
    done = visitor.post(f"{page}/hand-over", data={"owner": "henrik.dahl"}).text
    assert "Henrik Dahl owns 2 items now." in done and "Nobody needs to take anything over" in done
    undo = re.search(r"/_/admin/users/[0-9a-f-]{36}/hand-over", done)
    assert undo is not None
    visitor.post(undo[0], data={"owner": "amara.okoye", "only": " ".join(guids)})
    with app.state.database.read() as tx:
        amara = principal(app, "amara.okoye").id
        assert {row.guid for row in tx.scalars(select(Content).where(Content.owner_id == amara))} == guids
    visitor.sign_in("henrik.dahl")
    assert (
        visitor.get(page).status_code
        == visitor.post(f"{page}/hand-over", data={"owner": "henrik.dahl"}).status_code
        == 403
    )


def test_a_steward_is_named_on_the_persons_page(app: FastAPI, visitor: Visitor) -> None:
    page = f"{ADMIN}/users/{principal(app, 'henrik.dahl').guid}"
    visitor.sign_in("jonas.brandt")
    assert "may endorse content." in visitor.post(f"{page}/steward", data={"named": "1"}).text
    assert "No longer a steward" in visitor.get(page).text
    visitor.sign_in("henrik.dahl")
    assert visitor.post(f"{page}/steward", data={"named": "1"}).status_code == 403


def test_administrators_see_what_is_used_by_whom_and_what_by_nobody(app: FastAPI, visitor: Visitor) -> None:
    plant = publish(app, "amara.okoye", "Plant monitor", open_to="logged_in").guid
    idle = publish(app, "amara.okoye", "Forgotten", open_to="logged_in").guid
    with app.state.database.write() as tx:
        rows = {row.guid: row for row in tx.scalars(select(Content))}
        rows[idle].last_deployed_at = clock.now() - timedelta(days=200)
        rows[idle].py_version, rows[plant].py_version = "3.9.18", "3.12.4"
        for number, name in enumerate(("clara.voss", "clara.voss", "henrik.dahl", "amara.okoye")):
            tx.add(
                UsageEvent(
                    kind="visit", stream=f"s{number}", subject_kind="content", subject_id=rows[plant].id, stage_id=rows[plant].stage_id,
                    principal_id=principal(app, name).id, started_at=clock.now(),
                )
            )  # fmt: skip
    visitor.sign_in("jonas.brandt")
    page = visitor.get(f"{ADMIN}/content").text
    assert "75 %" in page and "4 page loads by 3 people" in page and "Forgotten" in page
    assert page.index("Python 3.9.18") < page.index("Python 3.12.4")
    visitor.sign_in("amara.okoye")
    assert visitor.get(f"{ADMIN}/content").status_code == 403


def test_one_search_finds_content_data_and_people(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Quality report", open_to="logged_in")
    publish(app, "amara.okoye", "Quality secrets")
    figures = publish(app, "amara.okoye", "Quality figures", mode="static", open_to="logged_in").guid
    with app.state.database.write() as tx:
        tx.scalars(select(Content).where(Content.guid == figures)).one().category = "pin"
    visitor.sign_in("henrik.dahl")
    page = visitor.get("/_/search?q=quality").text
    assert "3 finds" in page and "Quality report" in page and "Quality figures" in page and "Clara Voss" in page
    assert "Quality secrets" not in page
    assert (
        "Nothing matches" in visitor.get("/_/search?q=zzz").text
        and "What do you look for?" in visitor.get("/_/search").text
    )
