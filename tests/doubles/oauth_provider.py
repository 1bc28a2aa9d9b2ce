"""Another service with OAuth: codes with PKCE (S256), rotating refresh tokens, client credentials (RFC 6749, 7636)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "pilothouse", "harbour-secret"


@dataclass
class Provider:
    """What it was asked, and what it gives. ``lasts_s`` is the life of a token; ``delay_s`` makes its answers slow."""

    url: str = ""
    lasts_s: int | None = 3600
    delay_s: float = 0.0
    broken: int | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    challenges: dict[str, tuple[str, str]] = field(default_factory=dict)
    refreshing: str = ""
    count: int = 0

    @property
    def config(self) -> dict[str, str]:
        return {
            "authorization_uri": f"{self.url}/auth", "token_uri": f"{self.url}/token", "client_id": CLIENT, "client_secret": SECRET,
            "scopes": "openid offline_access",
        }  # fmt: skip

    def consent(self, address: str) -> str:
        """What the browser of somebody who says yes is sent to."""
        query = {name: words[0] for name, words in parse_qs(urlsplit(address).query).items()}
        assert (query["response_type"], query["client_id"], query["code_challenge_method"]) == ("code", CLIENT, "S256")
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = (query["code_challenge"], query["redirect_uri"])
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def answer(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        time.sleep(self.delay_s)
        if self.broken is not None:
            return self.broken, {"error": "server_error"}
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        posted = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if authorization != f"Basic {pair}" and not posted:
            return 401, {"error": "invalid_client"}
        return self.tokens(form)

    def tokens(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.count += 1
        given: dict[str, Any] = {"access_token": f"access-{self.count}", "token_type": "Bearer"}
        if self.lasts_s is not None:
            given["expires_in"] = self.lasts_s
        if form.get("grant_type") == "client_credentials":
            return 200, given
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") != self.refreshing:
                return 400, {"error": "invalid_grant"}
        else:
            challenge, redirect_uri = self.challenges.pop(form.get("code", ""), ("", ""))
            made = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            if made.rstrip(b"=").decode() != challenge or form.get("redirect_uri") != redirect_uri:
                return 400, {"error": "invalid_grant"}
        self.refreshing = f"refresh-{self.count}"
        return 200, {**given, "refresh_token": self.refreshing}


@contextlib.contextmanager
def oauth_provider() -> Iterator[Provider]:
    """One on a loopback port, until the end of the block."""
    provider = Provider()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            form = {name: words[0] for name, words in parse_qs(body).items()}
            status, document = provider.answer(form, self.headers.get("authorization", ""))
            answer = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
