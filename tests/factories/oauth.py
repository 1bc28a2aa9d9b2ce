"""A program that signs in for a person, step by step, as `rsconnect login` and Publisher do (connect-wire-api §1.5)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi.testclient import TestClient
from httpx import Response
from tests.factories.control_plane import Asked

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
BACK = "http://127.0.0.1:49152/callback"
REGISTRATION = {
    "client_name": "Posit CLI",
    "redirect_uris": ["http://127.0.0.1/callback"],
    "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    "response_types": ["code"],
}
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Cli:
    """A registered program and the person's browser. ``stage`` is the beginning of the server's path."""

    server: Asked
    username: str
    stage: str = ""
    client_id: str = ""

    def __post_init__(self) -> None:
        self.http: TestClient = self.server.client()
        self.browser: TestClient = self.server.browser(self.username)
        if not self.client_id:
            answer = self.http.post(f"{self.stage}/oauth/v1/register", json=REGISTRATION)
            assert answer.status_code == 201, answer.text
            self.client_id = answer.json()["client_id"]

    def question(self, **changes: str | None) -> dict[str, str]:
        """The parameters of the authorization request; ``None`` leaves one out."""
        asked: dict[str, str | None] = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": BACK, "code_challenge": CHALLENGE,
            "code_challenge_method": "S256", "state": "s-1",
        }  # fmt: skip
        return {name: value for name, value in (asked | changes).items() if value is not None}

    def ask(self, **changes: str | None) -> Response:
        return self.browser.get(
            f"{self.stage}/oauth/v1/authorize", params=self.question(**changes), follow_redirects=False
        )

    def decide(self, decision: str = "allow", **changes: str | None) -> Response:
        """What the reader's form sends."""
        sent = self.question(**changes) | {"decision": decision}
        return self.browser.post(f"{self.stage}/oauth/v1/authorize", data=sent, follow_redirects=False)

    def code(self) -> str:
        return answered(self.decide())["code"]

    def token(self, **form: str) -> Response:
        return self.http.post(f"{self.stage}/oauth/v1/token", data={"client_id": self.client_id, **form})

    def redeem(self, code: str, **changes: str) -> Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.token(**form | changes)

    def tokens(self) -> dict[str, Any]:
        answer = self.redeem(self.code())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refresh(self, token: str) -> Response:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def whoami(self, access_token: str, word: str = "Bearer", stage: str | None = None) -> int | str:
        """The user name, or the status of the refusal."""
        self.server.notice()
        path = f"{self.stage if stage is None else stage}/__api__/v1/user"
        answer = self.server.client(authorization=f"{word} {access_token}").get(path)
        return str(answer.json()["username"]) if answer.status_code == 200 else answer.status_code

    def begin_device(self) -> dict[str, Any]:
        answer = self.http.post(f"{self.stage}/oauth/v1/device/authorize", data={"client_id": self.client_id})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def poll(self, code: str) -> Response:
        return self.token(grant_type=DEVICE, device_code=code)

    def type(self, code: str, decision: str = "") -> Response:
        return self.browser.post(
            f"{self.stage}/_/device", data={"code": code, "decision": decision}, follow_redirects=False
        )


def answered(answer: Response) -> dict[str, str]:
    """The parameters of the redirect back to the program."""
    assert answer.status_code == 303, answer.text
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == BACK
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def refused(answer: Response) -> str:
    """The word of an OAuth error, whose sentence is there as well."""
    document = answer.json()
    assert answer.status_code in (400, 401), answer.text
    assert re.fullmatch(r".+[.]", document["error_description"]), document
    return str(document["error"])
