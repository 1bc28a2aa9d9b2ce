"""A strict OpenID Connect server that others wrote: npm's `oidc-provider`, kept in `.venv/npm` once it was fetched."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.factories.installation import free_port, until

VERSION = "9.13.3"
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "doubles" / "oidc_server.mjs"


@contextmanager
def oidc_server(audience: str) -> Iterator[str]:
    """The address of one that gives tokens for ``audience`` until the block ends."""
    folder, port = fetched(), free_port()
    command = ["node", str(SCRIPT), str(folder), str(port), audience]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(url))
            yield url
        finally:
            process.kill()


def ci_token(url: str, audience: str) -> str:
    """What a job of `acme/models` gets, signed by the server."""
    form = {"grant_type": "client_credentials", "resource": audience}
    answer = httpx.post(f"{url}/token", data=form, auth=("ci", "ci-secret-of-the-test"))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def fetched() -> Path:
    """The folder whose ``node_modules`` hold it. Without npm: a loud skip."""
    folder = ROOT / ".venv" / "npm"
    if not (folder / "node_modules" / "oidc-provider").is_dir():
        if shutil.which("npm") is None:
            pytest.skip("NOT EXERCISED: a strict OpenID Connect server. Install node and npm.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", f"oidc-provider@{VERSION}"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=180)
        if done.returncode != 0:
            pytest.skip("NOT EXERCISED: a strict OpenID Connect server. npm could not fetch oidc-provider.")
    return folder


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/.well-known/openid-configuration").status_code == 200
    except httpx.HTTPError:
        return False
