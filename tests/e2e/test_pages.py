"""Pages in a real Chromium, over real verbs: what only a browser shows (scripts, policy, following, keyboard, accessibility)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from tests.factories.chromium import chromium
from tests.factories.pages_app import PASSWORD, add_people, pages_app, publish
from tests.factories.served import served

from pilothouse.base import clock
from pilothouse.content.models import Content
from pilothouse.db import Database
from pilothouse.tasks.models import Task, TaskLine

#: All page samples in so many tests: one has five minutes.
PARTS = 4


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("pages in a browser") as found:
        yield found


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> FastAPI:
    app = pages_app(sqlite_database, tmp_path)
    add_people(app)
    return app


@pytest.fixture
def tab(app: FastAPI, browser: Any) -> Iterator[Any]:
    """A page signed in as amara.okoye, which fails the test when anything breaks its policy or leaves the server."""
    with served(app) as url:
        context = browser.new_context(base_url=url, locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
        found = context.new_page()
        complaints: list[str] = []
        found.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        found.on("pageerror", lambda e: complaints.append(str(e)))
        found.on(
            "request", lambda r: None if r.url.startswith((url, "data:")) else complaints.append(f"left for {r.url}")
        )
        found.goto("/")
        sign_in(found, "amara.okoye")
        yield found
        context.close()
    assert [c for c in complaints if "status of 422" not in c and ":3940" not in c and "localhost:3940" not in c] == []


def sign_in(tab: Any, name: str) -> None:
    tab.fill("[name=username]", name)
    tab.fill("[name=password]", PASSWORD)
    tab.click("[data-automation='login-panel-submit']")
    tab.wait_for_url(lambda url: "/__login__" not in url)


def test_a_deploy_is_watched_from_home_without_reloading(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Mixing explorer", state="running")
    tab.wait_for_selector("#now >> text=31 of 42 packages", timeout=8000)
    with app.state.database.write() as tx:
        task = tx.get(Task, item.task_id)
        tx.add(TaskLine(task_id=task.id, number=2, text="Activated version 1"))
        task.state, task.ended_at = "done", clock.now()
    tab.wait_for_selector("#now .state.good", timeout=8000)
    assert "1 live" in tab.inner_text("#now")


def test_a_log_grows_at_its_end_and_stops_when_the_deploy_has_ended(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Mixing explorer", state="running")
    tab.goto(f"/_/content/{item.guid}/log")
    assert tab.locator(".log li time").count() == 2
    with app.state.database.write() as tx:
        for number in range(2, 60):
            tx.add(TaskLine(task_id=item.task_id, number=number, text=f"line {number}"))
    tab.wait_for_selector("text=line 59", timeout=8000)
    assert tab.locator(".log li time").count() == 60
    assert tab.evaluate(
        "(() => { const l = document.querySelector('.log'); return l.scrollHeight - l.scrollTop - l.clientHeight < 60 })()"
    )
    with app.state.database.write() as tx:
        task = tx.get(Task, item.task_id)
        task.state, task.error = "failed", "No module named 'numpyy'."
    tab.wait_for_selector(".log .end >> text=numpyy", timeout=8000)
    assert tab.locator(".log [data-polls]").count() == 0


def test_a_deploy_that_ends_is_told_on_whatever_page_its_author_is(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Mixing explorer", state="running")
    tab.goto("/_/account")
    tab.wait_for_function("sessionStorage.getItem('news')")
    with app.state.database.write() as tx:
        task = tx.get(Task, item.task_id)
        task.state, task.ended_at = "done", clock.now()
    tab.wait_for_selector("#said >> text=Mixing explorer is live.", timeout=20_000)
    tab.click("#said >> text=Open")
    tab.wait_for_url(f"**/_/content/{item.guid}")


@pytest.mark.parametrize("answer", [{"status": 503, "content_type": "text/html", "body": "<h1>Away</h1>"}, None])
def test_what_was_typed_survives_a_server_that_is_away(browser: Any, app: FastAPI, answer: Any) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    with served(app) as url:
        tab = browser.new_page(base_url=url)
        tab.goto(f"/_/content/{item.guid}/settings")
        sign_in(tab, "amara.okoye")
        tab.route("**/settings", lambda route: route.fulfill(**answer) if answer else route.abort())
        tab.fill("#f-title", "Reactor monitor")
        tab.click("button:has-text('Save') >> nth=0")
        tab.wait_for_selector("#said >> text=The server did not take it.")
        assert tab.input_value("#f-title") == "Reactor monitor"
        tab.unroute("**/settings")
        tab.click("button:has-text('Save') >> nth=0")
        tab.wait_for_selector(".note.good >> text=Saved.")
        tab.close()


def test_a_part_that_looks_again_keeps_what_it_has_while_the_server_is_away(browser: Any, app: FastAPI) -> None:
    item = publish(app, "amara.okoye", "Mixing explorer", state="running")
    with served(app) as url:
        tab = browser.new_page(base_url=url)
        tab.goto(f"/_/content/{item.guid}/log")
        sign_in(tab, "amara.okoye")
        tab.route(
            "**/log/lines*", lambda route: route.fulfill(status=503, content_type="text/html", body="<h1>Away</h1>")
        )
        with tab.expect_response("**/log/lines*"):
            pass
        tab.wait_for_timeout(200)
        assert tab.locator(".log li time").count() == 2 and tab.locator(".log [data-polls]").count() == 1
        assert "Away" not in tab.inner_text("main")
        tab.unroute("**/log/lines*")
        with app.state.database.write() as tx:
            tx.add(TaskLine(task_id=item.task_id, number=2, text="It goes on"))
        tab.wait_for_selector("text=It goes on", timeout=10_000)
        tab.close()


def test_a_key_is_made_copied_and_revoked(tab: Any) -> None:
    tab.goto("/_/account")
    tab.fill("#key-name", "laptop")
    tab.click("button:has-text('New key')")
    tab.wait_for_selector("text=This is the only time")
    command = tab.locator(".command code").nth(1).inner_text()
    tab.locator(".command button").nth(1).click()
    assert tab.evaluate("navigator.clipboard.readText()") == command
    assert re.fullmatch(r"rsconnect add -s http://localhost:3939 -n dev -k \S{40,}", command)
    tab.click("summary:has-text('Revoke')")
    tab.click("button:has-text('Revoke laptop')")
    tab.wait_for_selector("text=No keys yet")


def test_on_plain_http_where_browsers_keep_the_clipboard_a_command_is_copied_all_the_same(tab: Any) -> None:
    tab.add_init_script("delete Navigator.prototype.clipboard")
    tab.goto("/_/account")
    command = tab.locator(".command code").first.inner_text()
    tab.locator(".command button").first.click()
    tab.wait_for_selector(".command button >> text=Copied")
    tab.fill("#key-name", "")
    tab.focus("#key-name")
    tab.keyboard.press("Control+v")
    assert tab.input_value("#key-name") == command


def test_access_changes_at_once_and_a_wrong_name_stays_in_its_field(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    tab.goto(f"/_/content/{item.guid}/access")
    tab.check("input[value=logged_in]")
    tab.wait_for_selector("text=Saved. It acts")
    with app.state.database.read() as tx:
        assert tx.query(Content).one().access_type == "logged_in"
    tab.fill("#principal", "clara.fos")
    tab.click("button:has-text('Add')")
    tab.wait_for_selector("#principal-wrong")
    assert tab.input_value("#principal") == "clara.fos"
    tab.fill("#principal", "clara.voss")
    tab.click("button:has-text('Add')")
    tab.wait_for_selector("text=Clara Voss may open it.")
    tab.select_option("#share-1", "editor")
    tab.wait_for_selector("text=Saved.")
    assert tab.input_value("#share-1") == "editor"


def test_the_gallery_searches_while_one_types_and_the_address_says_so(app: FastAPI, tab: Any) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    publish(app, "amara.okoye", "Mixing explorer")
    tab.goto("/_/content")
    tab.keyboard.press("/")
    tab.keyboard.type("mixing")
    tab.wait_for_selector("text=1 item")
    assert "q=mixing" in tab.url and tab.locator(".item").count() == 1
    tab.reload()
    assert tab.locator(".item").count() == 1


SLOW_TIMERS = "const soon = setTimeout; setTimeout = (then, ms, ...more) => soon(then, (ms ?? 0) + 1500, ...more)"


def test_what_is_typed_before_a_busy_browser_ran_its_first_timer_is_searched_for(app: FastAPI, tab: Any) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    publish(app, "amara.okoye", "Mixing explorer")
    tab.add_init_script(SLOW_TIMERS)
    tab.goto("/_/content")
    tab.keyboard.press("/")
    tab.keyboard.type("mixing")
    tab.wait_for_selector("text=1 item", timeout=8000)
    tab.keyboard.press("Control+k")
    tab.wait_for_selector("#palette-list [role=option] >> text=Plant monitor", timeout=8000)


def test_places_are_one_key_away_and_the_theme_is_remembered(tab: Any) -> None:
    tab.keyboard.press("g")
    tab.keyboard.press("c")
    tab.wait_for_url("**/_/content")
    tab.keyboard.press("?")
    assert "Search content" in tab.inner_text("dialog[open]")
    tab.keyboard.press("Escape")
    tab.goto("/_/account")
    tab.click("main [data-theme-choice=dark]")
    tab.goto("/")
    assert tab.get_attribute("html", "data-bs-theme") == "dark"


def test_the_palette_finds_content_and_actions_from_the_keyboard_alone(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    tab.goto("/")
    tab.keyboard.press("Control+k")
    tab.wait_for_selector("#palette-list [role=option] >> text=Plant monitor")
    tab.keyboard.type("plant")
    tab.wait_for_selector("[role=option][aria-selected=true] >> text=Plant monitor")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**/_/content/{item.guid}")
    tab.keyboard.press("/")
    tab.keyboard.type("versions")
    tab.wait_for_selector("#palette-here [role=option][aria-selected=true] >> text=Versions")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/versions")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("dark look")
    tab.wait_for_selector("#palette-list [role=option][aria-selected=true] >> text=Use the dark look")
    tab.keyboard.press("Enter")
    assert tab.get_attribute("html", "data-bs-theme") == "dark" and not tab.locator("#palette").is_visible()
    tab.keyboard.press("Control+k")
    tab.keyboard.type("sign out")
    tab.wait_for_selector("#palette-list [role=option][aria-selected=true] >> text=Sign out")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/__login__")


def test_the_palette_of_who_is_quicker_than_the_page_is_filled_once(app: FastAPI, tab: Any) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    tab.add_init_script("{ const later = setTimeout; globalThis.setTimeout = (f, ms) => later(f, ms ?? 2000); }")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url) if "/_/palette" in request.url else None)
    tab.goto("/")
    tab.keyboard.press("Control+k")
    tab.wait_for_selector("#palette-list [role=option] >> text=Plant monitor", timeout=8000)
    tab.wait_for_timeout(2500)
    tab.keyboard.press("Escape")
    tab.keyboard.press("Control+k")
    tab.wait_for_timeout(500)
    assert len(asked) == 2


def test_what_was_typed_last_is_what_is_found_however_slow_the_server_is(app: FastAPI, tab: Any) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    tab.route("**/_/palette*", lambda route: (tab.wait_for_timeout(700), route.continue_()))
    tab.keyboard.press("Control+k")
    for letter in "plant":
        tab.keyboard.type(letter)
        tab.wait_for_timeout(300)
    tab.wait_for_selector("#palette-list >> text=Everything with “plant”", timeout=8000)


def test_users_are_found_by_what_was_typed_last_however_slow_the_server_is(app: FastAPI, browser: Any) -> None:
    with served(app) as url:
        tab = browser.new_page(base_url=url)
        tab.goto("/_/admin/users")
        sign_in(tab, "jonas.brandt")
        tab.goto("/_/admin/users")
        tab.route("**/_/admin/users?prefix*", lambda route: (tab.wait_for_timeout(700), route.continue_()))
        for letter in "amara":
            tab.type("#prefix", letter)
            tab.wait_for_timeout(300)
        tab.wait_for_url("**prefix=amara", timeout=8000)
        tab.wait_for_function("document.querySelectorAll('#people tbody tr').length === 1", timeout=8000)
        tab.close()


def test_what_changes_on_the_page_behind_leaves_the_choice_alone(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Mixing explorer", state="running")
    tab.wait_for_selector("#now >> text=31 of 42 packages", timeout=8000)
    tab.keyboard.press("Control+k")
    tab.wait_for_selector("#palette-list [role=option][aria-selected=true]")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    third = tab.locator("#palette [role=option]").nth(2)
    assert third.get_attribute("aria-selected") == "true"
    with app.state.database.write() as tx:
        tx.add(TaskLine(task_id=item.task_id, number=2, text="Installing 42 of 42 packages"))
    tab.wait_for_selector("#now >> text=42 of 42 packages", timeout=8000, state="attached")
    assert third.get_attribute("aria-selected") == "true"
    assert tab.get_attribute("#palette-input", "aria-activedescendant") == third.get_attribute("id")


def test_an_open_palette_is_read_aloud_like_any_list_of_choices(browser: Any, app: FastAPI) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="NOT EXERCISED: accessibility.")
    publish(app, "jonas.brandt", "Plant monitor")
    with served(app) as url:
        tab = browser.new_page(base_url=url, bypass_csp=True)
        tab.goto("/")
        sign_in(tab, "jonas.brandt")
        for query in ("", "a"):
            tab.keyboard.press("Control+k")
            tab.keyboard.type(query)
            tab.wait_for_selector("#palette-list [role=option]")
            violations = axe.Axe().run(tab).response["violations"]
            assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
            tab.keyboard.press("Escape")
        tab.close()


def test_arrow_keys_walk_through_tabs_cards_and_the_account_and_escape_goes_back(app: FastAPI, tab: Any) -> None:
    for title in ("Plant monitor", "Mixing explorer", "Shelf life"):
        publish(app, "amara.okoye", title)
    tab.goto("/_/content")
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.focus(".grid li:nth-child(1) a.title")
    tab.keyboard.press("ArrowRight")
    second = tab.inner_text(".grid li:nth-child(2) a.title")
    assert tab.evaluate("document.activeElement.textContent") == second
    tab.keyboard.press("Enter")
    tab.wait_for_selector(f"h1:has-text('{second}')")
    tab.focus(".tabs a >> nth=0")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/api")
    tab.focus("summary[aria-label^='Account of']")
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.textContent.trim()") == "Account and keys"
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.matches('summary')") and not tab.locator("details.menu[open]").count()


def test_the_addresses_that_clients_print_lead_to_the_item(app: FastAPI, tab: Any) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    for fragment, path in (("", ""), ("/access", "/access"), ("/logs", "/log"), ("/draft/12", "/versions")):
        tab.goto("about:blank")
        tab.goto(f"/connect/#/apps/{item.guid}{fragment}")
        tab.wait_for_url(f"**/_/content/{item.guid}{path}")


def test_signing_out_leads_to_the_sign_in_and_the_way_back_is_closed(tab: Any) -> None:
    tab.click("summary[aria-label^='Account of']")
    tab.click("text=Sign out")
    tab.wait_for_url("**/__login__")
    tab.goto("/")
    assert "/__login__" in tab.url


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_pages_fit_and_nothing_serious_stands_in_the_way_of_people_with_disabilities(
    browser: Any, width: int, scheme: str, part: int
) -> None:
    if importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("NOT EXERCISED: accessibility. Install axe-playwright-python.")
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for name, tab in _samples(browser, part, color_scheme=scheme, viewport={"width": width, "height": 800}):
        serious = [v for v in Axe().run(tab).response["violations"] if v["impact"] in ("serious", "critical")]
        found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:160]}" for v in serious]
        found += _wider(name, tab)
    assert found == []


@pytest.mark.parametrize("part", range(PARTS))
def test_pages_fit_a_window_between_a_phone_and_a_desk(browser: Any, part: int) -> None:
    shown = _samples(browser, part, viewport={"width": 768, "height": 800})
    assert [words for name, tab in shown for words in _wider(name, tab)] == []


def _samples(browser: Any, part: int, **look: Any) -> Iterator[tuple[str, Any]]:
    """A part of all page samples, each in a tab of its own: some look again by themselves, which would abort the way to the next one."""
    from scripts.screens import all_names, gallery_of_samples

    context = browser.new_context(bypass_csp=True, **look)
    with served(gallery_of_samples()) as url:
        for name in list(all_names())[part::PARTS]:
            tab = context.new_page()
            tab.goto(f"{url}/sample/{name}")
            yield name, tab
            tab.close()
    context.close()


def _wider(name: str, tab: Any) -> list[str]:
    pixels = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{name}: {pixels} pixels wider than its window"] if pixels > 0 else []


def test_a_plot_is_drawn_from_the_table_that_stands_behind_it(browser: Any) -> None:
    from scripts.screens import gallery_of_samples

    with served(gallery_of_samples()) as url:
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        complaints: list[str] = []
        tab.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        tab.goto(f"{url}/sample/admin-jobs")
        tab.wait_for_selector(".plot canvas")
        row = tab.locator(".plot tbody tr").last.locator("td")
        assert tab.locator(".plot-label b").all_inner_texts() == row.all_text_contents()
        tab.click(".plot summary")
        assert tab.locator(".plot tbody tr").first.is_visible()
        tab.close()
    assert complaints == []
