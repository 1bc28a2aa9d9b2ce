"""An app acts as its visitor at a strict OpenID Connect provider, at this server, and by an account of its own: all of it real."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.factories.clients import CLIENTS, venv_of
from tests.factories.installation import Installation, new_installation, project, remove, until
from tests.factories.oidc_provider import CLIENT, SECRET, OidcProvider, oidc_provider

WORD = "correct horse battery"
APP = """
const fs = require('fs');
const http = require('http');
const at = process.env.CONNECT_SERVER + '__api__/v1/oauth/integrations/credentials';
async function exchange(kind, token, wanted) {
  const form = new URLSearchParams({grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:posit:connect:' + kind, subject_token: token || '', ...wanted});
  const answer = await fetch(at, {method: 'POST', body: form, headers: {authorization: 'Key ' + process.env.CONNECT_API_KEY}});
  return {status: answer.status, body: await answer.json()};
}
const own = () => fs.readFileSync(process.env.CONNECT_CONTENT_SESSION_TOKEN_FILE || '/dev/null', 'utf8');
http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://x'), wanted = Object.fromEntries(url.searchParams);
  let found = {headers: request.rawHeaders};
  if (url.pathname == '/visitor') found = await exchange('user-session-token', request.headers['posit-connect-user-session-token'], wanted);
  if (url.pathname == '/own') found = await exchange('content-session-token', own(), wanted);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(found));
}).listen(process.env.PORT);
"""
LOCK = {
    "name": "acts",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {"": {"name": "acts", "version": "1.0.0"}},
}
FILES = {
    "package.json": json.dumps({"name": "acts", "version": "1.0.0", "main": "app.js"}),
    "package-lock.json": json.dumps(LOCK),
    "app.js": APP,
}


@dataclass
class Scene:
    ph: Installation
    provider: OidcProvider
    guid: str
    browser: httpx.Client

    def open(self, path: str = "", *, page: bool = False, **query: str) -> Any:
        """As a page of the app does, or as its visitor who opens it."""
        fields = {"sec-fetch-mode": "navigate", "sec-fetch-site": "none"} if page else {"sec-fetch-mode": "cors"}
        url = f"{self.ph.content_url}/content/{self.guid}/{path}"
        answer = self.browser.get(url, params=query, headers={"accept": "*/*", **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def integration(self, name: str, config: dict[str, str], template: str = "custom") -> str:
        body = {"name": name, "template": template, "config": config}
        answer = self.ph.api("POST", "v1/oauth/integrations", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["guid"])

    def uses(self, *guids: str) -> None:
        path = f"v1/content/{self.guid}/oauth/integrations/associations"
        answer = self.ph.api("PUT", path, json=[{"oauth_integration_guid": guid} for guid in guids])
        assert answer.status_code == 200, answer.text
        until(lambda: self.browser.get(f"{self.ph.content_url}/content/{self.guid}/").status_code == 200, 60)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if shutil.which("node") is None:
        pytest.skip("NOT EXERCISED, no Node.js")
    ph = new_installation('[integrations]\nservice_networks = ["127.0.0.0/8"]\n')
    try:
        with oidc_provider(f"{ph.url}/__oauth__/integrations/callback", life_s=62) as provider:
            ph.start()
            ph.make_administrator()
            ph.add_person("vera", WORD)
            guid = ph.deploy("nodejs", project(tmp_path_factory.mktemp("acts"), FILES), "--title", "Acts").guid
            ph.api("PATCH", f"v1/content/{guid}", json={"access_type": "logged_in"})
            with httpx.Client(timeout=60) as browser:
                signed = browser.post(f"{ph.url}/__api__/__login__", json={"username": "vera", "password": WORD})
                assert signed.status_code == 200, signed.text
                yield Scene(ph, provider, guid, browser)
    finally:
        remove(ph)


def headers_of(said: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    raw = said["headers"]
    for name, value in zip(raw[::2], raw[1::2], strict=True):
        found.setdefault(name.lower(), []).append(value)
    return found


def test_without_an_integration_an_app_learns_who_comes_and_gets_no_token(scene: Scene) -> None:
    told = headers_of(scene.open(page=True))
    assert json.loads(told["rstudio-connect-credentials"][0]) == {"user": "vera", "groups": []}
    assert told["shiny-server-credentials"] == told["rstudio-connect-credentials"]
    assert told["rstudio-connect-app-base-url"] == [f"{scene.ph.content_url}/content/{scene.guid}"]
    assert told["x-rsc-request"] == [f"{scene.ph.content_url}/content/{scene.guid}/"]
    assert "posit-connect-user-session-token" not in told


def test_a_visitor_signs_in_at_the_provider_and_the_app_acts_as_them(scene: Scene) -> None:
    config = {
        "authorization_uri": f"{scene.provider.url}/auth", "token_uri": f"{scene.provider.url}/token", "client_id": CLIENT,
        "client_secret": SECRET, "scopes": "openid offline_access",
    }  # fmt: skip
    guid = scene.integration("Warehouse", config)
    scene.uses(guid)
    scene.open(page=True)  # the grant of before goes
    forged = scene.browser.get(
        f"{scene.ph.content_url}/content/{scene.guid}/",
        headers={"posit-connect-user-session-token": "forged", "sec-fetch-mode": "cors"},
    ).json()
    (token,) = headers_of(forged)["posit-connect-user-session-token"]
    assert token != "forged"
    refused = scene.open("visitor")
    assert (refused["status"], refused["body"]["code"]) == (403, 22)
    (login,) = re.findall(r"http\S+/login", refused["body"]["error"])
    page = scene.browser.get(login, params={"redirect": f"/content/{scene.guid}/"})
    (address,) = re.findall(r'btn btn-primary" href="([^"]*)"', page.text)
    back = scene.browser.get(scene.provider.sign_in(html.unescape(address), "vera-there"))
    assert (back.status_code, back.headers["location"]) == (303, f"{scene.ph.content_url}/content/{scene.guid}/")
    given = scene.open("visitor")
    assert given["status"] == 200, given
    assert scene.provider.user_of(given["body"]["access_token"]).json()["sub"] == "vera-there"
    time.sleep(3)  # a token that lives less than a minute longer is renewed
    renewed = scene.open("visitor", audience=guid)["body"]
    assert renewed["access_token"] != given["body"]["access_token"]
    assert scene.provider.user_of(renewed["access_token"]).json()["sub"] == "vera-there"
    (session,) = scene.ph.api("GET", "v1/oauth/sessions?all=true").json()
    assert session["has_refresh_token"] and session["oauth_integration_guid"] == guid


def test_a_token_is_worth_nothing_elsewhere(scene: Scene) -> None:
    (token,) = headers_of(scene.open())["posit-connect-user-session-token"]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token,
        "subject_token_type": "urn:posit:connect:user-session-token",
    }  # fmt: skip
    assert scene.ph.api("POST", "v1/oauth/integrations/credentials", data=form).json()["code"] == 22


def test_an_app_acts_here_as_its_visitor(scene: Scene) -> None:
    scene.uses(scene.integration("Here", {}, template="connect"))
    found = scene.open("visitor", requested_token_type="urn:posit:connect:api-key")["body"]
    assert found["token_type"] == "Key"
    assert scene.ph.api("GET", "v1/user", key=found["access_token"]).json()["username"] == "vera"


def test_an_app_has_an_account_of_its_own(scene: Scene) -> None:
    config = {
        "auth_type": "Service Account",
        "token_uri": f"{scene.provider.url}/token",
        "client_id": "account",
        "client_secret": SECRET,
    }
    scene.uses(scene.integration("Account", config))
    found = until(lambda: (said := scene.open("own"))["status"] == 200 and said["body"], 30)
    assert found["token_type"] == "Bearer" and found["access_token"]
    assert "posit-connect-user-session-token" not in headers_of(scene.open())
    scene.uses()
    said = scene.open("own")
    assert said["status"] in (400, 403)


def test_use_is_told_within_ten_seconds(scene: Scene) -> None:
    scene.open(page=True)
    vera = scene.ph.api("GET", "v1/users?prefix=vera").json()["results"][0]["guid"]

    def visits() -> list[dict[str, Any]]:
        path = f"v1/instrumentation/content/visits?content_guid={scene.guid}&asc_order=false"
        return [one for one in scene.ph.api("GET", path).json()["results"] if one["user_guid"] == vera]

    assert until(visits, 10)[0]["path"] == f"/content/{scene.guid}/"
    hits = scene.ph.api("GET", f"v1/instrumentation/content/hits?content_guid={scene.guid}").json()
    assert {"path", "user_agent"} == set(hits[0]["data"])


def test_calls_with_a_key_are_limited(scene: Scene) -> None:
    scene.ph.api("PATCH", f"v1/content/{scene.guid}", json={"requests_per_minute": 3})

    def answers() -> list[httpx.Response]:
        return [scene.ph.get(f"/content/{scene.guid}/") for _ in range(5)]

    refused = until(lambda: [one for one in answers() if one.status_code == 429], 20)[0]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["code"] == 104
    assert scene.browser.get(f"{scene.ph.content_url}/content/{scene.guid}/").status_code == 200
    scene.ph.api("PATCH", f"v1/content/{scene.guid}", json={"requests_per_minute": None})
    until(lambda: scene.ph.get(f"/content/{scene.guid}/").status_code == 200, 20)


def test_posit_sdk_reads_and_changes_all_of_it(scene: Scene) -> None:
    (session,) = scene.ph.api("GET", "v1/oauth/sessions?all=true").json()
    script = Path(__file__).parent / "clients" / "use_posit_oauth.py"
    done = subprocess.run(
        [venv_of(CLIENTS).python, str(script), session["oauth_integration_guid"], scene.guid],
        env=os.environ | {"CONNECT_SERVER": scene.ph.url, "CONNECT_API_KEY": scene.ph.key},
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all of it worked\n"
