"""The runtime tab in a real Chromium: what is typed is explained at once, by the rules that saving follows."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from tests.e2e.test_pages import app, browser, tab  # noqa: F401 - fixtures
from tests.factories.pages_app import publish

from pilothouse.content.models import Content


def test_the_effect_follows_what_is_typed_and_saving_keeps_it(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    tab.goto(f"/_/content/{item.guid}/runtime")
    tab.fill("#r-max_processes", "2")
    tab.wait_for_selector("#effect >> text=Up to 2 workers of")
    tab.fill("#r-memory_limit", "99999999")
    tab.wait_for_selector("#effect >> text=is more than the load group")
    tab.fill("#r-memory_limit", "256")
    tab.wait_for_selector("#effect >> text=2 workers of 256 MB")
    tab.check("input[name=idle][value=stop]")
    tab.wait_for_selector("#effect >> text=is stopped: its memory")
    tab.click("button:has-text('Save')")
    tab.wait_for_selector("text=New workers take over")
    with app.state.database.read() as tx:
        row = tx.query(Content).one()
        assert (row.max_processes, row.memory_limit, row.idle) == (2, 256 * 1024 * 1024, "stop")
    tab.fill("#r-min_processes", "1")
    tab.wait_for_selector("#effect >> text=One worker always runs")
