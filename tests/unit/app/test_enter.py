"""The way from the dashboard's login to another host name, through the front as it is composed: what helps on, and what does not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from tests.factories.control_plane import Asked, control_plane
from tests.factories.identity import PASSWORD, add_user

from pilothouse.db import Database
from pilothouse.gateway import headers
from pilothouse.gateway.serving import door_secret

DASH, CONTENT, PROD = "http://dash.ph:3939", "http://content.ph:3939", "http://prod.ph:3939"
STAGES = [{"key": "dev"}, {"key": "prod", "host": "prod.ph", "content_host": "prod-content.ph"}]


@pytest.fixture
def server(sqlite_database: Database, tmp_path: Path) -> Iterator[Asked]:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "pilothouse.toml").write_text(
        '[[stages]]\nkey = "dev"\n[[stages]]\nkey = "prod"\nhost = "prod.ph"\ncontent_host = "prod-content.ph"\n'
    )
    made = control_plane(tmp_path / "home", sqlite_database, server={"public_url": DASH, "content_host": "content.ph"})
    yield made
    made.database.close()


class Browser:
    """Cookies by host name, and what a browser says of itself; redirects are followed by hand."""

    def __init__(self, server: Asked) -> None:
        self.server, self.jars = server, dict[str, TestClient]()

    def at(self, url: str) -> TestClient:
        base = "http://" + urlsplit(url).netloc
        if base not in self.jars:
            kind = "dashboard" if base in (DASH, PROD) else "content"
            fields = {headers.SECRET: door_secret(self.server.home / "keys"), headers.ORIGIN: kind}
            self.jars[base] = TestClient(
                self.server.plane.front, base_url=base, headers=fields, follow_redirects=False,
                raise_server_exceptions=False,
            )  # fmt: skip
        return self.jars[base]

    def get(self, url: str, **fields: str) -> Response:
        return self.at(url).get(url, headers={"sec-fetch-mode": "navigate", **fields})

    def post(self, url: str, data: dict[str, str], **fields: str) -> Response:
        return self.at(url).post(url, data=data, headers=fields)

    def sign_in(self, url: str = f"{DASH}/__login__", name: str = "amara.okoye") -> Response:
        form = {"username": name, "password": PASSWORD, "url": urlsplit(url).path + "?" + urlsplit(url).query}
        return self.post(f"{DASH}/__login__", form, origin=DASH)

    def ask(self, path: str = "/content/x/", host: str = CONTENT) -> str:
        """Begin at another host name; the address of the dashboard that it leads to."""
        return str(self.get(f"{host}/_/enter?url={path}").headers["location"])

    def come(self, asked: str, host: str = CONTENT, origin: str = DASH) -> Response:
        """From the dashboard's form back to the other host name."""
        return self.post(f"{host}/_/enter", form_of(self.get(asked)), origin=origin)


def form_of(page: Response) -> dict[str, str]:
    assert page.status_code == 200, page.text
    return {
        name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    }


@pytest.fixture
def browser(server: Asked) -> Browser:
    add_user(server.database)
    return Browser(server)


def test_who_signed_in_once_is_known_under_the_other_name(browser: Browser) -> None:
    browser.sign_in()
    asked = browser.ask("/content/x/%3Fa=1")
    assert asked.startswith(f"{DASH}/__login__?to=content.ph&challenge=")
    page = browser.get(asked)
    assert f'action="{CONTENT}/_/enter"' in page.text
    assert page.headers["referrer-policy"] == "strict-origin", "else the form would not tell its origin"
    assert f"frame-ancestors {DASH} {PROD}" in page.headers["content-security-policy"]
    assert not any(code in asked for code in form_of(page).values() if len(code) > 20), "no code in an address"
    back = browser.post(f"{CONTENT}/_/enter", form_of(page), origin=DASH)
    assert (back.status_code, back.headers["location"]) == (303, "/content/x/?a=1")
    login = next(c for c in back.headers.get_list("set-cookie") if c.startswith("ph_login_"))
    assert "HttpOnly" in login and "SameSite=lax" in login and "Domain" not in login
    assert [name for name in browser.at(CONTENT).cookies if "enter" in name] == [], "its secret is forgotten"
    assert browser.get(f"{CONTENT}/_/enter?url=/content/y/").headers["location"] == "/content/y/", "straight on"


def test_who_is_not_signed_in_is_asked_and_then_goes_on(browser: Browser) -> None:
    asked = browser.ask()
    form = form_of(browser.get(asked))
    assert form["url"] == urlsplit(asked).path + "?" + urlsplit(asked).query
    assert browser.sign_in(asked).headers["location"] == form["url"]
    assert browser.come(DASH + form["url"]).status_code == 303


def test_a_stage_with_its_own_name_takes_the_dashboards_sign_in(browser: Browser) -> None:
    browser.sign_in()
    assert browser.get(f"{PROD}/__login__?url=/_/content").headers["location"] == "/_/enter?url=%2F_%2Fcontent"
    assert browser.come(browser.ask("/_/content", PROD), PROD).status_code == 303
    assert browser.get(f"{PROD}/_/account").status_code == 200
    token = browser.at(PROD).cookies["RSC-XSRF"]
    assert browser.at(PROD).post("/_/sign-out", headers={"x-rsc-xsrf": token, "origin": PROD}).status_code == 303
    assert browser.get(f"{DASH}/_/account").headers["location"].startswith("/__login__"), "signed out everywhere"


def test_signing_out_on_the_dashboard_ends_it_under_the_other_name(browser: Browser) -> None:
    browser.sign_in()
    browser.come(browser.ask())
    token = browser.at(DASH).cookies["RSC-XSRF"]
    browser.at(DASH).post("/_/sign-out", headers={"x-rsc-xsrf": token, "origin": DASH})
    assert browser.get(f"{CONTENT}/_/enter?url=/content/y/").headers["location"].startswith(DASH)


def test_signing_in_as_somebody_else_ends_what_was_before(browser: Browser) -> None:
    add_user(browser.server.database, "ben")
    browser.sign_in()
    browser.come(browser.ask())
    browser.sign_in(name="ben")
    assert browser.get(f"{CONTENT}/_/enter?url=/x").headers["location"].startswith(DASH), "she is known there no more"


@pytest.mark.parametrize("origin", [CONTENT, "http://evil.example", "null", "http://dash.ph"])
def test_a_code_that_another_page_sends_is_refused(browser: Browser, origin: str) -> None:
    browser.sign_in()
    assert browser.come(browser.ask(), origin=origin).status_code == 403
    assert "ph_login" not in str(browser.at(CONTENT).cookies)


def test_a_code_without_an_origin_is_refused(browser: Browser) -> None:
    browser.sign_in()
    form = form_of(browser.get(browser.ask()))
    assert browser.post(f"{CONTENT}/_/enter", form).status_code == 403


def test_nobody_is_signed_in_with_anothers_code(browser: Browser) -> None:
    """Login CSRF: a code made for the attacker's browser, sent by the victim's."""
    attacker = Browser(browser.server)
    attacker.sign_in()
    form = form_of(attacker.get(attacker.ask()))
    browser.ask()
    answer = browser.post(f"{CONTENT}/_/enter", form, origin=DASH)
    assert (answer.status_code, "ph_login" in str(answer.headers)) == (400, False)
    assert "/_/enter?url=%2Fcontent%2Fx%2F" in answer.text
    assert attacker.post(f"{CONTENT}/_/enter", form, origin=DASH).status_code == 400, "it is used up"


def test_a_code_for_one_name_is_worth_nothing_under_another(browser: Browser) -> None:
    browser.sign_in()
    asked = browser.ask()
    other = browser.ask(host="http://prod-content.ph:3939")
    secret = {k: v for k, v in browser.at(CONTENT).cookies.items() if "enter" in k}
    browser.at(other).cookies.clear()
    there = browser.at("http://prod-content.ph:3939/")
    there.cookies.update(secret)
    assert browser.come(asked, "http://prod-content.ph:3939").status_code == 400


@pytest.mark.parametrize("to", ["evil.example", "dash.ph", "localhost", "content.ph.evil.example", "", "content.ph/x"])
def test_a_code_is_made_for_names_of_ours_only(browser: Browser, to: str) -> None:
    browser.sign_in()
    answer = browser.get(f"{DASH}/__login__?to={to}&challenge={'a' * 64}&url=/")
    assert answer.status_code in (303, 422) and 'name="code"' not in answer.text
    assert answer.headers.get("location", "/") == "/"


@pytest.mark.parametrize("challenge", ["", "a", "A" * 64, "a" * 63, "a" * 65, "é" * 64])
def test_a_challenge_is_a_sha256(browser: Browser, challenge: str) -> None:
    browser.sign_in()
    assert browser.get(f"{DASH}/__login__?to=content.ph&challenge={challenge}").status_code == 422


@pytest.mark.parametrize("mode", ["cors", "no-cors", "same-origin", "websocket"])
def test_no_script_gets_a_code(browser: Browser, mode: str) -> None:
    browser.sign_in()
    answer = browser.get(f"{DASH}/__login__?to=content.ph&challenge={'a' * 64}", **{"sec-fetch-mode": mode})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "url",
    ["//evil.example/", "/\\evil.example", "https://evil.example", "javascript:1", "/a%0d%0ab", "\\\\evil", "//[", "é"],
)
def test_nobody_is_led_elsewhere(browser: Browser, url: str) -> None:
    browser.sign_in()
    asked = browser.ask(url)
    assert parse_qs(urlsplit(asked).query)["url"] == ["/"]
    page = browser.get(f"{DASH}/__login__?to=content.ph&challenge={hashlib.sha256(b'x').hexdigest()}&url={url}")
    assert form_of(page)["url"] == ""
    browser.come(asked)
    assert browser.get(f"{CONTENT}/_/enter?url={url}").headers["location"] == "/"


@pytest.mark.parametrize(
    "path", ["/", "/__login__", "/__api__/server_settings", "/_/account", "/_/enter/x", "/api/v1/users/me"]
)
def test_nothing_else_of_the_dashboard_is_there(browser: Browser, path: str) -> None:
    assert browser.get(CONTENT + path).status_code == 404


def test_a_key_enters_nowhere(browser: Browser) -> None:
    _, client = browser.server.person("robot")
    answer = client.get(f"{DASH}/__login__?to=content.ph&challenge={'a' * 64}", follow_redirects=False)
    assert 'name="code"' not in answer.text
