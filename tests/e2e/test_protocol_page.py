"""The page of the publishing protocol in a real Chromium: found by typing, opened by its address, read by everybody."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from scripts.screens import gallery_of_samples
from tests.factories.chromium import chromium
from tests.factories.served import served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("the page of the protocol in a browser") as found:
        yield found


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    with served(gallery_of_samples()) as url:
        found = browser.new_page(base_url=url)
        complaints: list[str] = []
        found.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        found.on("pageerror", lambda e: complaints.append(str(e)))
        found.on("request", lambda r: None if r.url.startswith((url, "data:")) else complaints.append(r.url))
        found.goto("/sample/api-docs")
        yield found
        found.close()
    assert complaints == []


def shown(tab: Any) -> list[str]:
    return [text.strip() for text in tab.locator(".endpoints > li:visible summary .path").all_inner_texts()]


def test_an_endpoint_is_found_and_opened_from_the_keyboard_alone(tab: Any) -> None:
    everything = len(shown(tab))
    tab.focus("#api-search")
    tab.keyboard.type("patch content")
    assert 0 < len(shown(tab)) < 10 and "/v1/content/{guid}" in shown(tab)
    assert f"of {everything}" in tab.inner_text("#api-count")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("change content")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.closest('details').id") == "patch-v1-content-guid"
    assert tab.is_visible("#patch-v1-content-guid .command") and "Quarterly report" in tab.inner_text(
        "#patch-v1-content-guid"
    )
    tab.focus("#api-search")
    tab.keyboard.press("Escape")
    assert len(shown(tab)) == everything
    tab.keyboard.type("zzz")
    assert shown(tab) == [] and "Nothing has all of these words" in tab.inner_text("#api-nothing")


def test_an_address_opens_what_it_names_and_names_lead_to_objects(tab: Any) -> None:
    tab.goto("/sample/api-docs#get-v1-users")
    assert tab.is_visible("#get-v1-users .facts") and not tab.is_visible("#noun-User .schema")
    tab.click("#get-v1-users .schema a")
    assert tab.is_visible("#noun-User .schema")
    tab.click("#noun-Group > summary")
    assert tab.url.endswith("#noun-Group"), "to be sent to somebody"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_nothing_serious_is_in_what_opens(browser: Any, width: int, scheme: str) -> None:
    if importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("NOT EXERCISED: accessibility. Install axe-playwright-python.")
    from axe_playwright_python.sync_playwright import Axe

    with served(gallery_of_samples()) as url:
        tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
        tab.goto(f"{url}/sample/api-docs")
        tab.evaluate(
            "for (const id of ['get-v1-users', 'patch-v1-content-guid', 'noun-Error']) document.getElementById(id).open = true"
        )
        beyond = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        serious = [v for v in Axe().run(tab).response["violations"] if v["impact"] in ("serious", "critical")]
        tab.close()
    assert [f"{v['id']} {v['nodes'][0]['html'][:200]}" for v in serious] == [] and beyond <= 0
