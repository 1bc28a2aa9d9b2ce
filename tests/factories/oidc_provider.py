"""A strict OpenID Connect provider of others, the npm package `oidc-provider`, on a loopback port; and a browser that signs in there."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx
from tests.factories.gateway import free_ports
from tests.factories.installation import until
from tests.factories.oidc_server import fetched

CLIENT, SECRET = "pilothouse", "harbour-secret"
SCRIPT = Path(__file__).parents[1] / "doubles" / "oidc_provider.mjs"


@dataclass
class OidcProvider:
    """``url`` is the issuer. Access tokens live ``life_s`` seconds."""

    url: str
    life_s: int

    def sign_in(self, address: str, name: str) -> str:
        """What the browser of ``name``, who says yes to everything, is sent to at the end: our own address."""
        with httpx.Client(timeout=20) as browser:
            for _ in range(20):
                answer = browser.get(address)
                while answer.is_redirect:
                    address = urljoin(str(answer.url), answer.headers["location"])
                    if not address.startswith(self.url):
                        return address
                    answer = browser.get(address)
                action = re.search(r'<form[^>]*action="([^"]*)"', answer.text)
                assert action, answer.text
                fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', answer.text))
                filled = {**fields, "login": name, "password": "any"} if "login" in answer.text else fields
                answer = browser.post(urljoin(str(answer.url), html.unescape(action[1])), data=filled)
                assert answer.is_redirect, answer.text
                address = urljoin(str(answer.url), answer.headers["location"])
                if not address.startswith(self.url):
                    return address
        raise AssertionError("the provider goes round in circles")

    def user_of(self, access_token: str) -> httpx.Response:
        return httpx.get(f"{self.url}/me", headers={"Authorization": f"Bearer {access_token}"})


@contextmanager
def oidc_provider(redirect_uri: str, *, life_s: int = 3600) -> Iterator[OidcProvider]:
    """One until the end of the block."""
    folder, (port,) = fetched(), free_ports(1)
    command = ["node", str(SCRIPT), str(folder), str(port), redirect_uri, str(life_s), CLIENT, SECRET]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(f"http://127.0.0.1:{port}"), 60)
            yield OidcProvider(f"http://127.0.0.1:{port}", life_s)
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/.well-known/openid-configuration", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
