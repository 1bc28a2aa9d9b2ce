"""Cross-site request forgery (SECURITY 9): unsafe requests that a cookie authenticates need our token and our own origin. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection

from pilothouse.base.errors import Denied

COOKIE = "RSC-XSRF"
HEADER = "x-rsc-xsrf"
FIELD = "xsrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class ForeignRequest(Denied):
    """This request did not come from our own pages, or its page is too old. Reload the page and try again."""

    code = "asgi/foreign-request"


def token(key: bytes, login: str) -> str:
    """The token of one login: it can be read by our own pages only."""
    return (
        base64.urlsafe_b64encode(hmac.new(key, b"xsrf " + login.encode(), hashlib.sha256).digest())
        .rstrip(b"=")
        .decode()
    )


def check(method: str, *, origin: str | None, own_origins: Collection[str], given: str | None, expected: str) -> None:
    """Return if an unsafe request may pass. Raises `ForeignRequest`.

    ``origin`` is the request's ``Origin`` header (browsers send it with every unsafe request), ``given`` the token from
    the header ``X-RSC-XSRF`` or the form.
    """
    if method in SAFE:
        return
    if origin is not None and origin not in own_origins:
        raise ForeignRequest
    if given is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForeignRequest
