"""An owner of an app in a real Chromium, on a whole installation: what really ran and was really used is what the pages show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_gallery import png
from tests.factories.chromium import chromium
from tests.factories.installation import EXAMPLES, Installation, installed, until

PASSWORD = "harbour-light-7"


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed() as made:
        made.add_person("amara", PASSWORD, "--role", "administrator")
        yield made


@pytest.fixture(scope="module")
def guid(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = tmp_path_factory.mktemp("apps") / "plant"
    shutil.copytree(EXAMPLES / "plant-monitor", copy)
    deployed = ph.deploy("fastapi", Path(copy), "--entrypoint", "app:app", "--title", "Plant monitor")
    assert deployed.guid, deployed.output
    (copy / "notes.txt").write_text("a second version")
    ph.deploy("fastapi", Path(copy), "--entrypoint", "app:app", "--app-id", deployed.guid)
    return deployed.guid


@pytest.fixture(scope="module")
def tab(ph: Installation, guid: str) -> Iterator[Any]:
    with chromium("an owner's pages in a browser") as browser:
        found = browser.new_context(base_url=ph.url, locale="en-GB", viewport={"width": 1280, "height": 800}).new_page()
        found.set_default_timeout(60_000)
        found.goto("/__login__")
        found.fill("[name=username]", "amara")
        found.fill("[name=password]", PASSWORD)
        found.click("[data-automation='login-panel-submit']")
        found.wait_for_url(lambda url: "/__login__" not in url)
        yield found


def test_the_item_is_found_opened_and_its_use_is_counted(ph: Installation, guid: str, tab: Any) -> None:
    tab.goto("/_/content?q=plant")
    tab.click("a.title")
    tab.frame_locator(".frame iframe").locator("body").wait_for()
    tab.wait_for_selector(".frame.is-loaded")

    def is_counted() -> bool:
        tab.goto(f"/_/content/{guid}/usage?span=day")
        return bool(tab.locator(".amounts").count()) and tab.inner_text(".amounts li:first-child strong") != "0"

    until(is_counted, 60)
    assert "amara" in tab.inner_text("section[aria-labelledby=who]")


def test_the_two_versions_differ_in_the_one_file_that_was_added(guid: str, tab: Any) -> None:
    tab.goto(f"/_/content/{guid}/versions")
    tab.click("text=What changed")
    assert "1 file differs." in tab.inner_text(".note")
    line = tab.inner_text("section[aria-labelledby=files] li")
    assert "added" in line and "notes.txt" in line
    tab.click("section[aria-labelledby=files] summary")
    tab.wait_for_selector(".diff .plus >> text=+ a second version")


def test_the_log_of_the_deploy_and_of_the_worker_are_real(guid: str, tab: Any) -> None:
    tab.goto(f"/_/content/{guid}/log?of=deploy")
    tab.locator("section[aria-labelledby=deploys] a").last.click()
    tab.wait_for_selector(".chip[aria-current] >> text=Deploy")
    assert tab.locator(".log li.step").count() >= 5
    tab.click("text=Newest worker")
    tab.wait_for_selector(".log >> text=Uvicorn running")
    with tab.expect_download() as download:
        tab.click("text=Download")
    assert "Uvicorn running" in Path(download.value.path()).read_text()


def test_limits_are_set_and_acted_on(ph: Installation, guid: str, tab: Any) -> None:
    tab.goto(f"/_/content/{guid}/runtime")
    tab.fill("#r-max_processes", "2")
    tab.wait_for_selector("#effect >> text=Up to 2 workers of")
    tab.click("button:has-text('Save')")
    tab.wait_for_selector("text=Saved.")
    assert ph.api("GET", f"v1/content/{guid}").json()["max_processes"] == 2
    tab.click("button:has-text('Undo')")
    tab.wait_for_selector("text=Saved.")
    assert ph.api("GET", f"v1/content/{guid}").json()["max_processes"] is None


def test_a_picture_and_a_star_reach_the_gallery_and_the_home_page(guid: str, tab: Any) -> None:
    tab.goto(f"/_/content/{guid}/settings")
    with tab.expect_navigation():
        tab.set_input_files("[data-thumbnail]", {"name": "a.png", "mimeType": "image/png", "buffer": png(1200, 700)})
    with tab.expect_response("**/favourite"):
        tab.click(".head .star")
    tab.goto("/")
    assert tab.locator("section[aria-labelledby=favourites] img.picture").count() == 1
    tab.wait_for_function("document.querySelector('img.picture').naturalWidth > 0")
