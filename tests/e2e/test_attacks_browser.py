"""A hostile app in the browser of somebody who is signed in: Chromium, the dashboard with the app in its frame, and the app alone.

Each attack fails, and each test shows that the same script works where it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.e2e.test_visit import sign_in
from tests.factories.chromium import chromium
from tests.factories.hostile import PASSWORD, Battlefield, prepare
from tests.factories.installation import installed

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Battlefield]:
    with installed() as ph:
        ph.add_person("clara", PASSWORD)
        found = prepare(ph, tmp_path_factory.mktemp("apps"))
        for guid, key in ((found.victim, found.vera), (found.hostile, found.mallory)):
            ph.api("PATCH", f"v1/content/{guid}", key=key, json={"access_type": "logged_in"})
        yield found


@pytest.fixture
def tab(field: Battlefield) -> Iterator[Any]:
    """Clara's browser, signed in and on the dashboard's home."""
    with chromium("attacks in a browser") as browser:
        page = browser.new_context(locale="en-GB").new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{field.ph.url}/_/account")
        sign_in(page, "clara")
        page.wait_for_url(f"{field.ph.url}/_/account")
        yield page


def in_frame(tab: Any, field: Battlefield) -> Any:
    """The hostile app inside the dashboard's page of it."""
    tab.goto(f"{field.ph.url}/_/content/{field.hostile}")
    element = tab.wait_for_selector("iframe")
    frame = element.content_frame()
    frame.wait_for_load_state()
    return frame


def name_shown(tab: Any, field: Battlefield) -> str:
    """Who the dashboard takes the browser for; empty when it asks to sign in."""
    tab.goto(f"{field.ph.url}/_/account")
    text = tab.inner_text("body")
    return next((name for name in ("clara", "mallory") if name in text), "") if "/__login__" not in tab.url else ""


def test_an_app_can_not_lead_the_dashboard_away(field: Battlefield, tab: Any) -> None:
    """Not even when its visitor clicks, which browsers take for consent."""
    target = f"{field.ph.content_url}{field.answer('<h1>Sign in again</h1>')}"
    field.show(f"<button id=go onclick=\"top.location = '{target}'\">Go</button><p id=stay>here</p>")
    frame = in_frame(tab, field)
    frame.click("#go")
    tab.wait_for_timeout(1500)
    assert tab.url == f"{field.ph.url}/_/content/{field.hostile}"
    tab.goto(f"{field.ph.content_url}/content/{field.hostile}/")
    tab.click("#go")
    tab.wait_for_url(target)


def test_an_app_can_not_look_into_the_dashboard(field: Battlefield, tab: Any) -> None:
    field.show("<p>app</p>")
    frame = in_frame(tab, field)
    look = "which => { try { return window[which].document.body.innerText.length >= 0 } catch (error) { return error.name } }"
    assert frame.evaluate(look, "self") is True, "the probe does not work"
    assert frame.evaluate(look, "parent") == "SecurityError"
    assert frame.evaluate(look, "top") == "SecurityError"


def test_an_app_can_not_ask_the_dashboard_in_the_visitors_name(field: Battlefield, tab: Any) -> None:
    ask = """async url => {
        try { return (await fetch(url, {credentials: 'include'})).status } catch (error) { return error.name }
    }"""
    change = """async url => {
        const body = JSON.stringify({name: 'planted'});
        try { await fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include', body}) } catch (error) {}
    }"""
    api = f"{field.ph.url}/__api__/v1"
    field.show("<p>app</p>")
    assert tab.evaluate(ask, f"{api}/user") == 200, "the probe does not work"
    frame = in_frame(tab, field)
    assert frame.evaluate(ask, f"{api}/user") == "TypeError"
    frame.evaluate(change, f"{api}/content")
    planted = [item for item in field.ph.api("GET", "v1/content").json() if item["name"] == "planted"]
    assert planted == []
    body = '{"name": "planted-by-key"}'
    made = httpx.post(
        f"{api}/content", content=body, headers={"Authorization": f"Key {field.vera}", "Content-Type": "text/plain"}
    )
    assert made.status_code == 200, "the probe does not work: a form's content type is not what stopped it"


def test_an_app_can_not_put_the_dashboard_into_a_frame(field: Battlefield, tab: Any) -> None:
    own = field.answer("<p>own page</p>")
    field.show(f'<iframe id=dash src="{field.ph.url}/_/account"></iframe><iframe id=own src="{own}"></iframe>')
    tab.goto(f"{field.ph.content_url}/content/{field.hostile}/")
    tab.frame_locator("#own").get_by_text("own page").wait_for()
    frame = tab.query_selector("#dash").content_frame()
    frame.wait_for_load_state()
    assert "clara" not in frame.evaluate("document.body.innerText")
    assert not frame.url.startswith(field.ph.url)


def test_an_app_can_not_script_a_dashboard_that_it_opened(field: Battlefield, tab: Any) -> None:
    field.show("<button id=go>Go</button>")
    tab.goto(f"{field.ph.content_url}/content/{field.hostile}/")
    peek = """async url => {
        const opened = window.open(url);
        await new Promise(done => setTimeout(done, 2000));
        try { return opened.document.body.innerText } catch (error) { return error.name }
    }"""
    assert "own page" in tab.evaluate(peek, field.answer("<p>own page</p>")), "the probe does not work"
    seen = tab.evaluate(peek, f"{field.ph.url}/_/account")
    assert "clara" not in str(seen)


def test_cookies_of_an_app_stay_its_own(field: Battlefield, tab: Any) -> None:
    login = next(cookie["name"] for cookie in tab.context.cookies() if cookie["name"].startswith("ph_"))
    tossed = [
        ("Set-Cookie", cookie)
        for cookie in (
            "own=1", "wide=1; Path=/", "above=1; Path=/content/", f"beside=1; Path=/content/{field.victim}/",
            "domain=1; Domain=localhost; Path=/", f"{login}=stolen.1; Path=/", f"{login}=stolen.1", f"={login}=stolen.1; Path=/",
            f"__Host-{login}=stolen.1; Path=/; Secure", "RSC-XSRF=guess; Path=/", "ph_grant_x=1; Path=/",
        )
    ]  # fmt: skip
    before = {(cookie["name"], cookie["path"]) for cookie in tab.context.cookies()}
    tab.goto(f"{field.ph.content_url}{field.answer('<p>tossed</p>', *tossed)}")
    tab.get_by_text("tossed").wait_for()
    mount = f"/content/{field.hostile}/"
    cookies = tab.context.cookies()
    new = (
        {(c["name"], c["path"]) for c in cookies}
        - before
        - {(c["name"], c["path"]) for c in cookies if c["name"].startswith(("ph_grant", "ph_g"))}
    )
    assert ("own", mount) in new, "the probe does not work"
    assert {path for _, path in new} == {mount}
    assert {name for name, _ in new} == {"own", "wide", "above", "beside", "domain"}
    assert "stolen" not in str(cookies)
    assert name_shown(tab, field) == "clara"


def test_an_app_can_not_sign_its_visitor_in_as_somebody_else(field: Battlefield, tab: Any) -> None:
    """Scripts of an app may set cookies for its whole host, and ports don't count: one of Mallory's logins, for a longer path."""
    login = next(cookie["name"] for cookie in tab.context.cookies() if cookie["name"].startswith("ph_login"))
    answer = httpx.post(
        f"{field.ph.url}/__login__",
        data={"username": "mallory", "password": PASSWORD},
        headers={"Origin": field.ph.url},
    )
    value = answer.cookies[login].strip('"')
    alone = httpx.get(f"{field.ph.url}/_/account", cookies={login: value})
    assert "mallory" in alone.text, "the probe does not work"
    field.show("<p>app</p>")
    tab.goto(f"{field.ph.content_url}/content/{field.hostile}/")
    assert name_shown(tab, field) == "clara"
    tab.goto(f"{field.ph.content_url}/content/{field.hostile}/")
    tab.evaluate("cookie => { document.cookie = cookie }", f"{login}={value}; path=/_/")
    assert len([c for c in tab.context.cookies() if c["name"] == login]) == 2, "the probe does not work"
    assert name_shown(tab, field) == "clara"


def test_a_service_worker_can_not_reach_beyond_its_app(field: Battlefield, tab: Any) -> None:
    script = field.answer("", ("Service-Worker-Allowed", "/"), type="text/javascript", name="/sw.js")
    register = """async ([script, scope]) => {
        try { return (await navigator.serviceWorker.register(script, {scope})).scope } catch (error) { return error.name }
    }"""
    field.show("<p>app</p>")
    tab.goto(f"{field.ph.content_url}/content/{field.hostile}/")
    own = f"/content/{field.hostile}/serve/"
    assert tab.evaluate(register, [script, own]) == f"{field.ph.content_url}{own}", "the probe does not work"
    for scope in ("/", "/content/", f"/content/{field.victim}/"):
        assert tab.evaluate(register, [script, scope]) == "SecurityError"


def test_no_answer_of_an_app_reaches_the_whole_host(field: Battlefield) -> None:
    sent = {
        "Strict-Transport-Security": "max-age=99999999", "Clear-Site-Data": '"cookies"', "Alt-Svc": 'h2="evil:443"',
        "NEL": "{}", "Report-To": "{}", "Service-Worker-Allowed": "/", "X-Ph-To": "page", "X-Kept": "1",
    }  # fmt: skip
    answer = field.ph.get(field.answer("x", *sent.items()), key=field.mallory)
    assert {name for name in sent if name.lower() in answer.headers} == {"X-Kept"}
