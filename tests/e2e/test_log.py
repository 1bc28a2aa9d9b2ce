"""The log tab in a real Chromium: finding, levels, folded steps, lines that can be pointed at."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from tests.e2e.test_pages import app, browser, tab  # noqa: F401 - fixtures
from tests.factories.pages_app import Published, publish

from pilothouse.tasks.models import Task, TaskLine

BUILD = ["Locking …", *(f"  Prepared package {n}" for n in range(30)), "Restoring …", *(f"  Linked {n}" for n in range(10)),
         "  warning: no wheel for httptools", "Starting …", "  INFO: running"]  # fmt: skip


def add(app: FastAPI, item: Published, texts: list[str], first: int = 2) -> None:  # noqa: F811
    with app.state.database.write() as tx:
        tx.add_all(TaskLine(task_id=item.task_id, number=first + n, text=text) for n, text in enumerate(texts))


def shown(tab: Any) -> int:  # noqa: F811
    return int(tab.locator(".log li[id]:visible").count())


def test_steps_that_went_well_are_folded_and_open_with_a_key(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    add(app, item, BUILD)
    tab.goto(f"/_/content/{item.guid}/log?of=deploy")
    assert shown(tab) == 2 + 1 + (1 + 11) + 2, "the step with a warning and the last one stay open"
    button = tab.locator(".step button").first
    assert button.inner_text().strip().endswith("30 lines") and button.get_attribute("aria-expanded") == "false"
    button.focus()
    tab.keyboard.press("Enter")
    assert shown(tab) == 2 + len(BUILD)


def test_words_and_levels_narrow_the_log_and_the_address_says_so(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    add(app, item, BUILD)
    tab.goto(f"/_/content/{item.guid}/log?of=deploy")
    tab.fill("#log-search", "package 1")
    assert shown(tab) == 11 and tab.inner_text("#log-count") == f"11 of {2 + len(BUILD)} lines"
    assert tab.evaluate("CSS.highlights.get('found').size") == 11
    tab.select_option("#log-level", "warning")
    tab.fill("#log-search", "")
    assert shown(tab) == 1
    tab.reload()
    assert tab.input_value("#log-level") == "warning" and shown(tab) == 1


def test_a_line_can_be_pointed_at_even_in_a_folded_step(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    add(app, item, BUILD)
    tab.goto(f"/_/content/{item.guid}/log?of=deploy#L8")
    assert tab.locator("#L8").is_visible()
    tab.click("#L12 .no")
    assert tab.url.endswith("#L12")


def test_what_is_found_also_counts_lines_that_arrive_later(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor", state="running")
    tab.goto(f"/_/content/{item.guid}/log?find=linked")
    assert shown(tab) == 0
    add(app, item, BUILD)
    tab.wait_for_selector("#log-count >> text=10 of", timeout=20_000)
    assert shown(tab) == 10
    with app.state.database.write() as tx:
        task = tx.get(Task, item.task_id)
        assert task is not None
        task.state = "done"
