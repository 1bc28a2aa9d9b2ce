"""Tokens with which an app shows whom it acts for: its visitor, or itself. Worth nothing without the app's own live key.

The door puts a visitor's token into a request (`headers.VISITOR`); a worker gets its own when it starts. Both are signed by us and
name the job, so that one that leaks to another app, or outlives its worker, is refused (SECURITY 16). They hold no secret.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.base.errors import Invalid

#: An app asks for credentials when a visitor comes or begins something; whoever stays longer loads the page again.
LIFE = timedelta(hours=1)
VISITOR, CONTENT = "visitor", "content"


class AppTokenInvalid(Invalid):
    """The session token is not valid: it is not of this content's running job, or too old. Take it from the request you answer now."""

    code = "gateway/app-token-invalid"


@dataclass(frozen=True)
class Claims:
    """For whom: a visitor, who came by a login or with a key; nobody where an app speaks for itself."""

    content_id: int
    job_key: str
    user_id: int | None = None
    login: str | None = None
    key_id: int | None = None


class AppTokens:
    """Makes and reads them with ``key``. Safe to call from several threads."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_visitor(self, content_id: int, job_key: str, visitor: Principal) -> str:
        claims = Claims(content_id, job_key, visitor.id, visitor.login, visitor.key)
        return self._made(VISITOR, {**asdict(claims), "exp": int((clock.now() + LIFE).timestamp())})

    def of_content(self, content_id: int, job_key: str) -> str:
        """Always the same for one job. It ends with the job's key."""
        return self._made(CONTENT, asdict(Claims(content_id, job_key)))

    def read(self, token: str, kind: str) -> Claims:
        """``kind`` is `VISITOR` or `CONTENT`. Raises `AppTokenInvalid`."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(kind, text).encode()):
            raise AppTokenInvalid
        try:
            claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, binascii.Error):
            raise AppTokenInvalid from None
        if kind == VISITOR and claims.pop("exp") <= clock.now().timestamp():
            raise AppTokenInvalid
        return Claims(**claims)

    def _made(self, kind: str, claims: dict[str, Any]) -> str:
        text = _text(json.dumps(claims, separators=(",", ":")).encode())
        return f"{text}.{self._signature(kind, text)}"

    def _signature(self, kind: str, text: str) -> str:
        return _text(hmac.digest(self._key, f"{kind} {text}".encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
