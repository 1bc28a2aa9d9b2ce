"""The unmodified client signs in: with a browser, with a device code, with the word of a strict OpenID Connect server; and R's signatures."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.factories.chromium import chromium
from tests.factories.installation import BIN, Installation, new_installation, project, remove, until
from tests.factories.oidc_server import ci_token, oidc_server
from tests.factories.signing import Program

PASSWORD = "harbour-light-7"


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Installation, str]]:
    """An installation with a publisher, and the address of the issuer it trusts."""
    ph = new_installation()
    with oidc_server(ph.url) as issuer:
        ph.settings = (
            '[identity]\nissuer_networks = ["127.0.0.0/8"]\n'
            f'[[trusted_issuers]]\nkey = "ci"\nissuer = "{issuer}"\nusername = "amara"\n'
            'claims = { repository = "acme/models", ref = "refs/heads/*" }\n'
        )
        try:
            ph.start()
            ph.make_administrator()
            ph.add_person("amara", PASSWORD, "--role", "publisher")
            yield ph, issuer
        finally:
            remove(ph)


@pytest.fixture(scope="module")
def ph(made: tuple[Installation, str]) -> Installation:
    return made[0]


@pytest.fixture
def tab(ph: Installation) -> Iterator[Any]:
    """A browser in which Amara is signed in."""
    with chromium("sign-in of programs") as browser:
        page = browser.new_context().new_page()
        page.goto(f"{ph.url}/__login__")
        page.fill("[name=username]", "amara")
        page.fill("[name=password]", PASSWORD)
        page.click("[data-automation='login-panel-submit']")
        page.wait_for_url(f"{ph.url}/")
        yield page


def login(ph: Installation, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """`rsconnect login`, which waits for a person."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CONNECT_", "PILOTHOUSE_"))}
    home = ph.root / "client"
    env |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        **variables,
    }
    command = [str(BIN / "rsconnect"), "login", *arguments]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def deployed(ph: Installation, folder: Path, *arguments: str) -> str:
    """The client's words after it deployed a page."""
    project(folder, {"index.html": "<title>Report</title><p>Yield</p>"})
    return ph.rsconnect("deploy", "html", *arguments, str(folder / "index.html")).stdout


def test_a_person_signs_the_client_in_with_a_browser_and_it_publishes(
    ph: Installation, tab: Any, tmp_path: Path
) -> None:
    seen, script = tmp_path / "url", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with login(ph, ph.url, "--name", "work", BROWSER=str(script)) as client:
        until(lambda: seen.exists() and seen.read_text().endswith("\n"), 60)
        tab.goto(seen.read_text().strip())
        assert "Posit CLI" in tab.inner_text("h1") and "amara" in tab.inner_text("h1")
        tab.click("text=Let it sign in")
        tab.wait_for_selector("text=Authentication successful")
        words = client.communicate(timeout=60)[0]
    assert client.returncode == 0 and 'Logged in to "work"' in words, words + ph.log()
    assert "Verifying deployed content" in deployed(ph, tmp_path / "app", "--name", "work", "--title", "By login")
    assert "Posit CLI" in tab.goto(f"{ph.url}/_/account").text()


def test_a_client_without_a_browser_signs_in_by_a_code(ph: Installation, tab: Any, tmp_path: Path) -> None:
    with login(ph, f"{ph.url}/prod", "--name", "prod", "--use-device-code") as client:
        assert client.stdout is not None
        words = ""
        while (found := re.search(r"Enter the code: (\S+)", words)) is None:
            line = client.stdout.readline()
            assert line, words + ph.log()
            words += line
        tab.goto(re.search(r"https?://\S+", words)[0])  # type: ignore[index]
        tab.fill("[name=code]", found[1].lower())
        tab.click("text=Continue")
        assert "Posit CLI" in tab.inner_text("h1")
        tab.click("text=Let it sign in")
        tab.wait_for_selector("text=You can close this page")
        rest = client.communicate(timeout=60)[0]
    assert client.returncode == 0 and 'Logged in to "prod"' in rest, rest + ph.log()
    assert "/prod/content/" in deployed(ph, tmp_path / "app", "--name", "prod", "--title", "By code")


def test_a_ci_job_publishes_without_a_key(made: tuple[Installation, str], tmp_path: Path) -> None:
    ph, issuer = made
    token = tmp_path / "token"
    token.write_text(ci_token(issuer, ph.url))
    done = ph.rsconnect("login", ph.url, "--name", "ci", "--identity-token-file", str(token))
    assert 'Logged in to "ci"' in done.stdout or "ci" in done.stdout
    deployed(ph, tmp_path / "app", "--name", "ci", "--title", "By CI")
    made_by = [c["title"] for c in ph.api("GET", "v1/content").json()]
    assert "By CI" in made_by
    again = ph.rsconnect("login", ph.url, "--name", "ci", "--identity-token-file", str(token), check=False)
    assert again.returncode != 0
    assert "did not grant access" in again.stdout, "the client's own words"
    token.write_text(token.read_text()[:-20] + "A" * 20)
    forged = ph.rsconnect("login", ph.url, "--name", "ci", "--identity-token-file", str(token), check=False)
    assert "could not verify" in forged.stdout


def test_signed_requests_pass_the_gateway_to_the_api_and_to_content(ph: Installation, tab: Any, tmp_path: Path) -> None:
    """As R and pins-r send them, content included."""
    program = Program()
    answer = httpx.post(
        f"{ph.url}/__api__/tokens", json=program.announced, headers={"X-Auth-Token": "anonymous-access"}
    )
    url = f"{ph.url}/__api__/v1/user"
    assert httpx.get(url, headers=program.headers("GET", url)).status_code == 401
    tab.goto(answer.json()["token_claim_url"])
    tab.click("text=Let it sign in")
    tab.wait_for_selector("text=You can close this page")
    assert httpx.get(url, headers=program.headers("GET", url)).json()["username"] == "amara"
    words = deployed(ph, tmp_path / "app", "--server", ph.url, "--api-key", ph.key, "--title", "Pinned")
    guid = re.search(r"/content/([0-9a-f-]{36})/", words)[1]  # type: ignore[index]
    for base in (ph.url, ph.content_url):
        url = f"{base}/content/{guid}/index.html"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers=program.headers("GET", url)).status_code == 403, (
            "the administrator's, and private"
        )
    amara = ph.api("GET", "v1/users", params={"prefix": "amara"}).json()["results"][0]["guid"]
    share = {"principal_guid": amara, "principal_type": "user", "role": "viewer"}
    assert ph.api("POST", f"v1/content/{guid}/permissions", json=share).status_code == 200
    for base in (ph.url, ph.content_url):
        url = f"{base}/content/{guid}/index.html"
        found = httpx.get(url, headers=program.headers("GET", url))
        assert (found.status_code, "Yield" in found.text) == (200, True), base
        assert httpx.get(url, headers=program.headers("GET", url + "x")).status_code == 401


@pytest.mark.parametrize("version", ["2024.01.0", "2099.12.0"])
def test_the_client_publishes_whatever_version_we_say_we_are(ph: Installation, tmp_path: Path, version: str) -> None:
    """An old one: no drafts, no metadata of Git. A new one: all of it."""
    before = ph.settings
    ph.stop()
    ph.settings += f'[connect_api]\nversion = "{version}"\n'
    try:
        ph.start()
        assert ph.api("GET", "server_settings").json()["version"] == version
        words = deployed(ph, tmp_path / "app", "--server", ph.url, "--api-key", ph.key, "--title", version)
        is_draft = words.index("Verifying deployed") < words.index("Activating bundle")
        assert is_draft == (version > "2025.06.0"), words
        guid = re.search(r"/content/([0-9a-f-]{36})/", words)[1]  # type: ignore[index]
        assert ph.get(f"/content/{guid}/").status_code == 200
        assert json.loads(ph.api("GET", f"v1/content/{guid}").text)["bundle_id"]
    finally:
        ph.stop()
        ph.settings = before
        ph.start()
