"""An OpenID Connect issuer on the loopback: it describes itself, shows its keys and signs what a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from pilothouse.base import clock
from pilothouse.base.ids import new_key


@cache
def signing_key(kid: str = "k1") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True)


class Issuer:
    """Make one with `issuer`. ``keys`` and ``document`` may be changed while it runs; ``asked`` are the paths that were."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = [dict(signing_key().as_dict(private=False))]
        self.document: Any = {"issuer": url, "jwks_uri": f"{url}/keys"}
        self.asked: list[str] = []

    def rule(self, **changes: Any) -> dict[str, Any]:
        """As it stands in the settings."""
        made = {"key": "ci", "issuer": self.url, "claims": {"repository": "acme/models"}, "username": "ci.robot"}
        return made | changes

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a token says; ``None`` leaves a claim out."""
        now = int(clock.now().timestamp())
        made: dict[str, Any] = {
            "iss": self.url, "aud": "http://localhost:3939", "sub": "repo:acme/models:ref:refs/heads/main", "repository": "acme/models",
            "ref": "refs/heads/main", "iat": now, "nbf": now, "exp": now + 600, "jti": new_key(),
        }  # fmt: skip
        return {name: value for name, value in (made | changes).items() if value is not None}

    def token(self, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Signed with RS256 and the issuer's own key, if nothing else is said."""
        made = {"alg": "RS256", "kid": "k1"} | (header or {})
        algorithms = ["RS256", "ES256", "HS256", "PS256"]
        return jwt.encode(made, self.claims(**changes), key or signing_key(), algorithms=algorithms)

    def add(self, key: RSAKey | ECKey | OctKey, *, private: bool = False) -> None:
        self.keys.append(dict(key.as_dict(private=private)))


@contextmanager
def issuer() -> Iterator[Issuer]:
    """One that answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            found = {"/.well-known/openid-configuration": made.document, "/keys": {"keys": made.keys}}.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
