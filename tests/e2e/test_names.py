"""Origins with names of their own, in a real Chromium: one sign-in on the dashboard, apps under other names, one sign-out.

Names below ``localhost`` lead to this machine in every browser, and those below ``ph.localhost`` are one site to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.factories.chromium import chromium
from tests.factories.installation import new_installation, project, remove

PASSWORD = "harbour-light-7"
PATIENCE_MS = 60_000

APP = """
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse
app = FastAPI()

PAGE = '''<p id=who>{who}</p><p id=base>{base}</p><p id=said>nothing</p><script>
const socket = new WebSocket(location.href.replace('http', 'ws') + 'ws');
socket.onmessage = event => document.getElementById('said').textContent = event.data;
</script>'''

@app.get('/')
def home(request: Request):
    told = request.headers
    return HTMLResponse(PAGE.format(who=told.get('rstudio-connect-credentials', ''), base=told.get('rstudio-connect-app-base-url', '')))

@app.get('/secret')
def secret():
    return 'the recipe'

@app.websocket('/ws')
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_text('ahoy')
    await socket.receive_text()
"""
FILES = {"app.py": APP, "requirements.txt": "fastapi\nwebsockets\n"}


class Names:
    """An installation whose origins have names, with two apps and two people."""

    def __init__(self, form: str, folder: Path) -> None:
        self.ph = ph = new_installation()
        self.form, self.dash = form, f"http://dash.ph.localhost:{ph.port}"
        kind = 'apps_host = "*.apps.ph.localhost"' if form == "apps" else 'content_host = "content.ph.localhost"'
        prod = "" if form == "apps" else 'content_host = "prod-content.ph.localhost"\n'
        ph.settings = (
            f'[server]\npublic_url = "{self.dash}"\n{kind}\n[[stages]]\nkey = "dev"\n'
            f'[[stages]]\nkey = "prod"\nhost = "prod.ph.localhost"\n{prod}'
        )
        ph.start()
        ph.make_administrator()
        for name in ("clara", "stranger"):
            ph.add_person(name, PASSWORD)
        self.one = ph.deploy("fastapi", project(folder / "one", FILES), "--entrypoint", "app:app", "-t", "One").guid
        self.two = ph.deploy("fastapi", project(folder / "two", FILES), "--entrypoint", "app:app", "-t", "Two").guid
        clara = ph.api("GET", "v1/users", params={"prefix": "clara"}).json()["results"][0]["guid"]
        for guid in (self.one, self.two):
            share = {"principal_guid": clara, "principal_type": "user", "role": "viewer"}
            assert ph.api("POST", f"v1/content/{guid}/permissions", json=share).status_code == 200

    def origin(self, guid: str) -> str:
        name = f"{guid}.apps" if self.form == "apps" else "content"
        return f"http://{name}.ph.localhost:{self.ph.port}"

    def page(self, guid: str) -> str:
        return f"{self.origin(guid)}/content/{guid}/"


@pytest.fixture(scope="module", params=["apps", "content"])
def names(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Names]:
    made = Names(request.param, tmp_path_factory.mktemp("apps"))
    yield made
    remove(made.ph)


@pytest.fixture
def tab() -> Iterator[Any]:
    with chromium("names of origins in a browser") as browser:
        page = browser.new_context(locale="en-GB").new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


def sign_in(tab: Any, name: str = "clara") -> None:
    tab.fill("[name=username]", name)
    tab.fill("[name=password]", PASSWORD)
    tab.click("[data-automation='login-panel-submit']")


def test_one_sign_in_opens_private_content_under_its_name_with_its_socket(names: Names, tab: Any) -> None:
    tab.goto(names.page(names.one))
    assert tab.url.startswith(f"{names.dash}/__login__")
    sign_in(tab)
    tab.wait_for_url(names.page(names.one))
    tab.wait_for_function("document.getElementById('said').textContent === 'ahoy'")
    assert '"clara"' in tab.inner_text("#who")
    assert tab.inner_text("#base") == names.page(names.one).rstrip("/")
    tab.goto(names.page(names.two))
    assert '"clara"' in tab.inner_text("#who"), "nobody is asked twice"
    assert all(
        cookie["domain"].count("*") == 0 and not cookie["domain"].startswith(".") for cookie in tab.context.cookies()
    )


def test_the_dashboards_frame_and_a_mailed_link_go_in_by_themselves(names: Names, tab: Any) -> None:
    tab.goto(f"{names.dash}/content/{names.one}/")
    sign_in(tab)
    tab.wait_for_url(names.page(names.one))
    tab.goto(f"{names.dash}/_/content/{names.two}")
    frame = tab.frame_locator("iframe")
    frame.locator("text=ahoy").wait_for()
    assert '"clara"' in frame.locator("#who").inner_text()


def test_a_stage_under_its_own_name_knows_who_signed_in_on_the_dashboard(names: Names, tab: Any) -> None:
    prod = names.dash.replace("dash.", "prod.")
    tab.goto(f"{names.dash}/_/account")
    sign_in(tab)
    tab.wait_for_url(f"{names.dash}/_/account")
    tab.goto(f"{prod}/_/account")
    tab.wait_for_url(f"{prod}/_/account")
    assert "clara" in tab.inner_text("body")


def test_signing_out_ends_it_under_every_name(names: Names, tab: Any) -> None:
    tab.goto(names.page(names.one))
    sign_in(tab)
    tab.wait_for_url(names.page(names.one))
    there = {c["name"]: c["value"] for c in tab.context.cookies() if c["domain"] in names.origin(names.one)}
    login = {name: value for name, value in there.items() if name.startswith("ph_login_")}
    assert login
    tab.goto(f"{names.dash}/_/account")
    tab.evaluate(
        "fetch('/_/sign-out', {method: 'POST', headers: {'X-RSC-XSRF': document.querySelector('meta[name=xsrf]').content}})"
    )
    tab.wait_for_timeout(500)
    tab.goto(names.page(names.one))
    assert tab.url.startswith(f"{names.dash}/__login__")
    host = names.origin(names.one).removeprefix("http://")
    stolen = httpx.get(
        f"{names.ph.url}/content/{names.one}/", headers={"host": host, "sec-fetch-mode": "navigate"}, cookies=login
    )
    assert (stolen.status_code, stolen.headers["location"].partition("?")[0]) == (302, "/_/enter")


def test_a_stolen_cookie_of_content_opens_nothing_on_the_dashboard(names: Names, tab: Any) -> None:
    tab.goto(names.page(names.one))
    sign_in(tab)
    tab.wait_for_url(names.page(names.one))
    cookies = {c["name"]: c["value"] for c in tab.context.cookies(names.page(names.one))}
    host = names.dash.removeprefix("http://")
    assert httpx.get(f"{names.ph.url}/__api__/v1/user", headers={"host": host}, cookies=cookies).status_code == 401


def test_an_app_reads_another_one_only_where_both_share_a_name(names: Names, tab: Any) -> None:
    tab.goto(names.page(names.one))
    sign_in(tab)
    tab.wait_for_url(names.page(names.one))
    tab.goto(names.page(names.two))
    tab.goto(names.page(names.one))
    read = "url => fetch(url, {credentials: 'include'}).then(r => r.text()).catch(e => 'refused')"
    said = tab.evaluate(read, f"{names.page(names.two)}secret")
    assert ("the recipe" in said) is (names.form == "content")
    here = tab.evaluate(read, f"{names.origin(names.one)}/content/{names.two}/secret")
    assert ("the recipe" in here) is (names.form == "content"), "nor is it served under the first one's name"


def test_who_may_not_open_it_is_told_so_under_its_name(names: Names, tab: Any) -> None:
    tab.goto(names.page(names.one))
    sign_in(tab, "stranger")
    tab.wait_for_url(names.page(names.one))
    assert "Not shared with you" in tab.inner_text("body")


def test_other_names_are_refused_and_programs_change_nothing(names: Names) -> None:
    ph = names.ph
    for host in ("evil.example", "x.apps.ph.localhost", "ph.localhost"):
        assert httpx.get(ph.url, headers={"host": host}).status_code == 421, host
    content = ph.api("GET", f"v1/content/{names.one}").json()
    assert content["content_url"] == f"{names.dash}/content/{names.one}/"
    assert ph.get(f"/content/{names.one}/secret").text == '"the recipe"'
    fine = httpx.get(f"{ph.url}/_/enter", headers={"host": names.origin(names.one).removeprefix("http://")})
    assert fine.headers["location"].startswith(f"{names.dash}/__login__?to=")
