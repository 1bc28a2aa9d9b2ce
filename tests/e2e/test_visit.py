"""A business user in a real Chromium: a mailed link, the sign-in, the app with its WebSocket; and what a stranger sees."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.factories.chromium import chromium
from tests.factories.installation import EXAMPLES, Installation, installed, project, until

PASSWORD = "harbour-light-7"


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed() as made:
        for name in ("clara", "stranger"):
            made.add_person(name, PASSWORD)
        yield made


@pytest.fixture(scope="module")
def shiny(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = tmp_path_factory.mktemp("apps") / "mixing"
    shutil.copytree(EXAMPLES / "mixing-explorer", copy)
    guid = ph.deploy("shiny", Path(copy), "--entrypoint", "app:app", "--title", "Mixing explorer").guid
    clara = ph.api("GET", "v1/users", params={"prefix": "clara"}).json()["results"][0]["guid"]
    granted = ph.api(
        "POST",
        f"v1/content/{guid}/permissions",
        json={"principal_guid": clara, "principal_type": "user", "role": "viewer"},
    )
    assert granted.status_code == 200
    return guid


@pytest.fixture
def tab() -> Iterator[Any]:
    with chromium("a visit in a browser") as browser:
        yield browser.new_context(locale="en-GB").new_page()


def sign_in(tab: Any, name: str) -> None:
    tab.fill("[name=username]", name)
    tab.fill("[name=password]", PASSWORD)
    tab.click("[data-automation='login-panel-submit']")


def test_a_mailed_link_leads_through_the_sign_in_to_the_living_app(ph: Installation, shiny: str, tab: Any) -> None:
    tab.goto(f"{ph.url}/content/{shiny}/")
    assert "/__login__" in tab.url
    sign_in(tab, "clara")
    tab.wait_for_url(f"{ph.content_url}/content/{shiny}/")
    tab.wait_for_function("document.body.innerText.includes('Pa·s')", timeout=15_000)
    before = tab.inner_text("#blend")
    tab.fill("#a", "50")
    tab.wait_for_function("old => document.querySelector('#blend').innerText !== old", arg=before, timeout=15_000)


def test_the_dashboard_shows_the_app_in_its_frame(ph: Installation, shiny: str, tab: Any) -> None:
    tab.goto(f"{ph.url}/_/content/{shiny}")
    sign_in(tab, "clara")
    tab.wait_for_url(f"{ph.url}/_/content/{shiny}")
    frame = tab.frame_locator("iframe")
    frame.locator("#blend").wait_for(timeout=15_000)


def test_who_opens_a_sleeping_app_sees_how_far_its_start_is(ph: Installation, tab: Any, tmp_path: Path) -> None:
    slow = "import time\nfrom fastapi import FastAPI\ntime.sleep(6)\napp = FastAPI()\n\n@app.get('/')\ndef home():\n    return 'Ahoy'\n"
    files = {"app.py": slow, "requirements.txt": "fastapi\n"}
    guid = ph.deploy("fastapi", project(tmp_path, files), "--entrypoint", "app:app", "--title", "Slow ship").guid
    assert ph.api("PATCH", f"v1/content/{guid}", json={"access_type": "all"}).status_code == 200
    for job in ph.api("GET", f"v1/content/{guid}/jobs").json():
        ph.api("DELETE", f"v1/content/{guid}/jobs/{job['key']}")
    until(lambda: all(j["end_time"] for j in ph.api("GET", f"v1/content/{guid}/jobs").json()), 60)
    tab.goto(f"{ph.content_url}/content/{guid}/")
    assert re.fullmatch(r"Starting\s*[1-9] s", tab.inner_text("[aria-current=step]"))
    queued, _, ready = tab.locator(".phases li").all_inner_texts()
    assert re.fullmatch(r"Waiting for its turn\s*[0-9] s", queued)
    assert 6 <= int(re.fullmatch(r"Ready\s*last time after ([0-9]+) s", ready)[1]) < 60  # type: ignore[index]
    tab.evaluate("window.isSamePage = true")
    seconds = tab.inner_text("[aria-current=step] b")
    tab.wait_for_function("old => document.querySelector('[aria-current=step] b').innerText !== old", arg=seconds)
    assert tab.evaluate("window.isSamePage"), "it is told without loading the page anew"
    tab.wait_for_selector("text=Ahoy", timeout=60_000)


def test_a_stranger_is_told_whom_to_ask_and_finds_home(ph: Installation, shiny: str, tab: Any) -> None:
    tab.goto(f"{ph.content_url}/content/{shiny}/")
    sign_in(tab, "stranger")
    tab.wait_for_url(f"{ph.content_url}/content/{shiny}/")
    assert "Not shared with you" in tab.inner_text("main")
    assert "admin" in tab.inner_text("main")
    tab.click("text=Home")
    tab.wait_for_url(f"{ph.url}/")
    assert tab.inner_text("h1") == "Home"
