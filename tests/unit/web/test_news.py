"""Finished work says so wherever one is."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, principal, publish

from pilothouse.base import clock
from pilothouse.content import service as content
from pilothouse.content.models import Bundle, Content
from pilothouse.tasks.models import Task
from pilothouse.testing.clock import FrozenClock


def told(visitor: Visitor, since: str) -> list[str]:
    return [one["words"] for one in visitor.get(f"/_/news?since={quote(since)}").json()["news"]]


def test_ones_own_deploys_that_ended_are_told_once(app: FastAPI, visitor: Visitor, frozen_clock: FrozenClock) -> None:
    visitor.sign_in("amara.okoye")
    first = visitor.get("/_/news").json()
    assert first["news"] == []
    frozen_clock.advance(seconds=5)
    publish(app, "amara.okoye", "Plant monitor")
    publish(app, "amara.okoye", "Batch API", state="failed", error="No Python 3.14 is installed.")
    publish(app, "amara.okoye", "Mixing explorer", state="running")
    publish(app, "henrik.dahl", "Shelf life", open_to="logged_in")
    frozen_clock.advance(seconds=5)
    assert told(visitor, first["until"]) == [
        "Plant monitor is live.",
        "Batch API could not be deployed. No Python 3.14 is installed.",
    ]
    assert told(visitor, visitor.get("/_/news").json()["until"]) == []


def test_news_has_a_reach_and_needs_a_moment(app: FastAPI, visitor: Visitor, frozen_clock: FrozenClock) -> None:
    visitor.sign_in("amara.okoye")
    start = visitor.get("/_/news").json()["until"]
    publish(app, "amara.okoye", "Plant monitor")
    frozen_clock.advance(minutes=31)
    assert told(visitor, start) == []
    for nonsense in ("", "yesterday", "2026-01-01T00:00:00"):
        assert told(visitor, nonsense) == []


def test_a_failure_leads_to_its_log_and_nobody_else_hears_of_it(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("henrik.dahl")
    start = visitor.get("/_/news").json()["until"]
    item = publish(app, "henrik.dahl", "Batch API", state="failed", error="No app.")
    [one] = visitor.get(f"/_/news?since={quote(start)}").json()["news"]
    assert (one["is_good"], one["href"]) == (False, f"/_/content/{item.guid}/log?of=deploy")
    visitor.sign_in("jonas.brandt")
    assert told(visitor, start) == []


def test_a_draft_that_was_activated_at_once_is_one_piece_of_news(app: FastAPI, visitor: Visitor) -> None:
    visitor.sign_in("amara.okoye")
    start = visitor.get("/_/news").json()["until"]
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        draft = tx.get(Task, item.task_id)
        draft.args = draft.args | {"activate": False}
    assert told(visitor, start) == ["Plant monitor has a new draft."]
    actor = principal(app, "amara.okoye")
    with app.state.database.write() as tx:
        row, bundle = tx.query(Content).one(), tx.query(Bundle).one()
        task = content.activate(tx, actor, row, bundle=bundle)
        task.state, task.ended_at = "done", clock.now()
    assert told(visitor, start) == ["Plant monitor is live."]
