"""Each kind of app in a real Chromium: deployed by the unmodified client, alive under its mount, and nothing asked of another host."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.test_visit import ARGUMENTS, CHROMIUM, PASSWORD, sign_in
from tests.factories.installation import EXAMPLES, Installation, new_installation, remove

pytestmark = pytest.mark.xdist_group("browser")
STAGES = "[[stages]]\nkey = 'dev'\n[[stages]]\nkey = 'prod'\n"
PATIENCE_MS = 45_000


@dataclass(frozen=True)
class Kind:
    """An example, the client's word to deploy it, and what a visitor does; ``socket`` is the WebSocket's path below the mount."""

    verb: str
    folder: str
    app_mode: str
    visit: Callable[[Any], None]
    socket: str | None = None


def measure_again(tab: Any) -> None:
    tab.get_by_text("Individuals chart, series 1").wait_for(timeout=PATIENCE_MS)
    tab.get_by_role("button", name="Measure again").click()
    tab.get_by_text("Individuals chart, series 2").wait_for(timeout=PATIENCE_MS)
    tab.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()


def keep_it_busy(tab: Any) -> None:
    tab.locator("#watching", has_text="1").wait_for(timeout=PATIENCE_MS)
    tab.get_by_role("button", name="Keep it busy").click()
    tab.wait_for_function("parseInt(document.getElementById('worst').textContent) >= 200", timeout=PATIENCE_MS)


KINDS = [
    Kind("nodejs", "reaction-time", "nodejs", keep_it_busy, "live"),
    Kind("streamlit", "clock-capability", "python-streamlit", measure_again, "_stcore/stream"),
]


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    made = new_installation(STAGES)
    try:
        made.start()
        made.make_administrator()
        person = ("clara", "--password", PASSWORD, "--email", "clara@veridia.example")
        made.cli("user", "add", *person, "--home", str(made.home))
        yield made
    finally:
        remove(made)


@pytest.fixture(scope="module")
def browser(ph: Installation) -> Iterator[Any]:
    """A browser context that is signed in: one login holds for all stages."""
    if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("NOT EXERCISED: kinds in a browser. Install chromium and playwright.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context(locale="en-GB")
        tab = context.new_page()
        tab.goto(ph.url)
        sign_in(tab, "clara")
        tab.wait_for_url(f"{ph.url}/**")
        tab.close()
        yield context
        chromium.close()


def deployed(ph: Installation, kind: Kind, stage: str, folder: Path) -> str:
    """The guid of the example, deployed to a stage and open to whoever signs in."""
    shutil.copytree(EXAMPLES / kind.folder, folder)
    named = ("--server", ph.url + stage, "--api-key", ph.key, "--title", kind.folder, "--new")
    done = ph.rsconnect("deploy", kind.verb, *named, str(folder))
    found = re.search(r"/content/([0-9a-f-]{36})/", done.stdout)
    assert found, done.stdout
    url = f"{ph.url}{stage}/__api__/v1/content/{found[1]}"
    content = httpx.patch(
        url, json={"access_type": "logged_in"}, headers={"Authorization": f"Key {ph.key}"}, timeout=60
    )
    assert content.json()["app_mode"] == kind.app_mode
    return found[1]


@pytest.mark.parametrize("stage", ["", "/prod"], ids=["dev", "prod"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_an_example_opens_and_answers(ph: Installation, browser: Any, tmp_path: Path, kind: Kind, stage: str) -> None:
    mount = f"{stage}/content/{deployed(ph, kind, stage, tmp_path / 'app')}/"
    asked, sockets, broken = list[str](), list[str](), list[str]()
    tab = browser.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("websocket", lambda socket: sockets.append(socket.url))
    tab.on("pageerror", lambda error: broken.append(str(error)))
    tab.on("response", lambda answer: broken.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    try:
        tab.goto(ph.content_url + mount)
        kind.visit(tab)
    except Exception as error:
        raise AssertionError(f"{error}\n{broken}\n{tab.inner_text('body')[:2000]}") from error
    finally:
        tab.close()
    host = urlsplit(ph.content_url).netloc
    remote = [url for url in asked + sockets if url.startswith(("http", "ws")) and urlsplit(url).netloc != host]
    assert remote == []
    assert broken == []
    if kind.socket is not None:
        assert {urlsplit(url).path for url in sockets} == {mount + kind.socket}
