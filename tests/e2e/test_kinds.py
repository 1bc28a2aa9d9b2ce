"""Each kind of app in a real Chromium: deployed by the unmodified client, alive under each of its addresses, and nothing asked of another host."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.test_visit import PASSWORD, sign_in
from tests.factories.chromium import chromium
from tests.factories.installation import EXAMPLES, Installation, installed, project
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

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


def learn_again(tab: Any) -> None:
    """Waits until it has learnt, whatever the browser missed of it, so that a reading afterwards is one of the new ones."""
    tab.get_by_text(re.compile(r"In control\.|Drifting\.")).wait_for(timeout=PATIENCE_MS)
    tab.get_by_role("button", name="Learn the limits again").click()
    tab.get_by_text(re.compile(r"reading \d+ of 20")).wait_for(timeout=PATIENCE_MS)


def inspect_a_lot(tab: Any) -> None:
    tab.locator("svg[aria-label^='Probability']").wait_for(timeout=PATIENCE_MS)
    tab.get_by_role("button", name="Inspect a bad lot").click()
    tab.get_by_text(re.compile(r"\d+ of 50: (accepted|refused)")).wait_for(timeout=PATIENCE_MS)


def choose_a_window(tab: Any) -> None:
    tab.get_by_text("window Hann,").wait_for(timeout=PATIENCE_MS)
    tab.get_by_role("button", name="Hamming").click()
    tab.get_by_text("window Hamming,").wait_for(timeout=PATIENCE_MS)


def count_by_access(tab: Any) -> None:
    tab.get_by_text("counted by kind").wait_for(timeout=PATIENCE_MS)
    tab.get_by_text("Access", exact=True).click()
    tab.get_by_text("counted by access").wait_for(timeout=PATIENCE_MS)
    tab.locator("#chart .bars .point").first.wait_for(timeout=PATIENCE_MS)


def measure_it(tab: Any) -> None:
    tab.get_by_role("button", name="Measure it").click(timeout=PATIENCE_MS)
    tab.get_by_text(re.compile(r"times what was expected: (within|outside)")).wait_for(timeout=PATIENCE_MS)


KINDS = [
    Kind("nodejs", "reaction-time", "nodejs", keep_it_busy, "live"),
    Kind("streamlit", "clock-capability", "python-streamlit", measure_again, "_stcore/stream"),
    Kind("panel", "drift-watch", "python-panel", learn_again, "ws"),
    Kind("shiny", "sampling-plan", "python-shiny", inspect_a_lot, "websocket/"),
    Kind("bokeh", "pulse-spectrum", "python-bokeh", choose_a_window, "ws"),
    Kind("dash", "published-work", "python-dash", count_by_access),
    Kind("gradio", "soft-sensor", "python-gradio", measure_it),
]


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed(STAGES) as made:
        made.add_person("clara", PASSWORD)
        yield made


@pytest.fixture(scope="module")
def browser(ph: Installation) -> Iterator[Any]:
    """A browser context that is signed in: one login holds for all stages."""
    with chromium("kinds in a browser") as found:
        context = found.new_context(locale="en-GB")
        tab = context.new_page()
        tab.goto(ph.url)
        sign_in(tab, "clara")
        tab.wait_for_url(f"{ph.url}/**")
        tab.close()
        yield context


@pytest.fixture(scope="module")
def guids() -> dict[tuple[str, str], str]:
    """What was deployed, by example and stage."""
    return {}


def deployed(ph: Installation, guids: dict[tuple[str, str], str], kind: Kind, stage: str, folder: Path) -> str:
    """The guid of the example, deployed once to a stage and open to whoever signs in."""
    if (kind.folder, stage) in guids:
        return guids[kind.folder, stage]
    shutil.copytree(EXAMPLES / kind.folder, folder)
    named = ("--server", ph.url + stage, "--api-key", ph.key, "--title", kind.folder, "--new")
    done = ph.rsconnect("deploy", kind.verb, *named, str(folder))
    found = re.search(r"/content/([0-9a-f-]{36})/", done.stdout)
    assert found, done.stdout
    url = f"{ph.url}{stage}/__api__/v1/content/{found[1]}"
    headers = {"Authorization": f"Key {ph.key}"}
    content = httpx.patch(url, json={"access_type": "logged_in"}, headers=headers, timeout=60)
    assert content.json()["app_mode"] == kind.app_mode
    guids[kind.folder, stage] = found[1]
    return found[1]


@pytest.mark.parametrize("address", ["content", "stage", "vanity"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_an_example_opens_and_answers(
    ph: Installation, browser: Any, guids: dict[tuple[str, str], str], tmp_path: Path, kind: Kind, address: str
) -> None:
    stage = "/prod" if address == "stage" else ""
    guid = deployed(ph, guids, kind, stage, tmp_path / "app")
    mount = f"{stage}/content/{guid}/"
    if address == "vanity":
        mount = f"/plant/{kind.folder}/"
        assert ph.api("PUT", f"v1/content/{guid}/vanity", json={"path": mount}).status_code == 200
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


def test_a_page_token_that_was_altered_opens_no_session(
    ph: Installation, guids: dict[tuple[str, str], str], tmp_path: Path
) -> None:
    """It holds the headers that tell a Bokeh or Panel app who the visitor is."""
    kind = next(k for k in KINDS if k.verb == "bokeh")
    mount = f"/content/{deployed(ph, guids, kind, '', tmp_path / 'app')}/"
    found = re.search(r'"token":"([^"]+)"', ph.get(mount).text)
    assert found
    payload, dot, signature = found[1].partition(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    said["session_id"] = "1" * 44
    altered = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()

    assert first_message(ph, mount, found[1]) != "", "the page's own token is taken"
    assert first_message(ph, mount, altered + dot + signature) == ""
    assert first_message(ph, mount, altered) == ""


def first_message(ph: Installation, mount: str, token: str) -> str | bytes:
    """What an app's WebSocket says first; nothing if it takes nobody in."""
    url = ph.url.replace("http", "ws", 1) + mount + "ws"
    try:
        with connect(
            url, additional_headers={"Authorization": f"Key {ph.key}"}, subprotocols=["bokeh", token]
        ) as socket:  # type: ignore[list-item]
            return socket.recv(timeout=30)
    except (InvalidStatus, ConnectionClosed):
        return ""


PAGES = """
import dash
from dash import Dash, dcc, html
app = Dash(__name__, SERVER use_pages=True, pages_folder="")
for word in ("one", "two"):
    dash.register_page(word, path=f"/{word}", layout=html.H2(f"This is page {word}"))
links = [dcc.Link(page["name"], href=page["relative_path"]) for page in dash.page_registry.values()]
app.layout = html.Div([*links, html.Img(src=app.get_asset_url("dot.svg"), alt="dot"), dash.page_container])
"""
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>'


@pytest.mark.parametrize("backend", ["flask", "fastapi"])
def test_links_that_dash_makes_at_import_stay_below_the_mount(
    ph: Installation, browser: Any, tmp_path: Path, backend: str
) -> None:
    is_asgi = backend == "fastapi"
    source = PAGES.replace("SERVER", "server=__import__('fastapi').FastAPI()," if is_asgi else "")
    wanted = "dash\nfastapi\nuvicorn\n" if is_asgi else "dash\n"
    folder = project(tmp_path / "app", {"app.py": source, "assets/dot.svg": DOT, "requirements.txt": wanted})
    guid = ph.deploy("dash", folder, "--new", "--title", "Pages").guid
    ph.api("PATCH", f"v1/content/{guid}", json={"access_type": "logged_in"})
    draft = ph.api("GET", f"v1/content/{guid}").json()["bundle_id"]
    for mount in (f"/content/{guid}/", f"/content/{guid}/_bundle{draft}/"):
        tab = browser.new_page()
        tab.goto(ph.content_url + mount + "one")
        tab.get_by_text("This is page one").wait_for(timeout=PATIENCE_MS)
        tab.get_by_role("link", name="Two").click()
        tab.get_by_text("This is page two").wait_for(timeout=PATIENCE_MS)
        assert urlsplit(tab.url).path == mount + "two"
        tab.wait_for_function("document.querySelector('img').naturalWidth === 9", timeout=PATIENCE_MS)
        tab.close()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_an_example_is_found_in_the_gallery_and_works_in_its_frame(
    ph: Installation, browser: Any, guids: dict[tuple[str, str], str], tmp_path: Path, kind: Kind
) -> None:
    deployed(ph, guids, kind, "", tmp_path / "app")
    tab = browser.new_page()
    tab.goto(f"{ph.url}/_/content")
    tab.get_by_role("link", name=kind.folder, exact=True).first.click()
    frame = tab.locator(f"iframe[title='{kind.folder}']").element_handle(timeout=PATIENCE_MS).content_frame()
    kind.visit(frame)
    tab.close()
