"""The usage tab in a real Chromium: plots are drawn, and their tables hold the same numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from tests.e2e.test_pages import app, browser, tab  # noqa: F401 - fixtures
from tests.factories.pages_app import publish

from pilothouse.base import clock
from pilothouse.content.models import Content, WorkerSample
from pilothouse.gateway.models import UsageEvent

INK = """(figure) => {
  const canvas = figure.querySelector("canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value, at) => at % 4 === 3 && value > 200);
}"""


def test_every_plot_is_drawn_and_has_its_table(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    with app.state.database.write() as tx:
        number = tx.query(Content).one().id
        for n in range(12):
            at = clock.now() - timedelta(hours=n)
            tx.add(UsageEvent(kind="visit", stream=f"v{n}", subject_kind="content", subject_id=number, started_at=at))
            tx.add(WorkerSample(content_id=number, slot=0, at=at, cores=0.1 * n, memory=200 << 20))
    tab.goto(f"/_/content/{item.guid}/usage?span=day")
    tab.wait_for_selector("figure canvas")
    figures = tab.locator("figure.plot")
    assert figures.count() == 5
    assert [figures.nth(n).evaluate(INK) for n in range(5)] == [True] * 5
    figures.first.locator("summary").focus()
    tab.keyboard.press("Enter")
    rows = figures.first.locator("tbody tr")
    assert rows.count() == 24
    assert sum(int(rows.nth(n).locator("td").first.inner_text()) for n in range(24)) == 12
    tab.click("text=Last 90 days")
    tab.wait_for_url("**span=quarter")
    assert tab.inner_text(".amounts li:first-child").split() == ["12", "visits"]
