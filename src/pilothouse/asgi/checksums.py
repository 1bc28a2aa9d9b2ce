"""Bodies whose digest the client states in ``X-Content-Checksum``: compared while they are read, and refused at their end."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from pilothouse.base.errors import Invalid, PilothouseError

HEADER = "x-content-checksum"
Receive = Callable[[], Awaitable[Any]]


class BodyDamaged(Invalid):
    """The body is not the one that X-Content-Checksum names: it was damaged on its way. Send it again."""

    code = "asgi/body-damaged"


def compared(receive: Receive, stated: str, error: type[PilothouseError] = BodyDamaged) -> Receive:
    """``receive``, which raises ``error`` instead of giving the last piece of a body whose MD5 is not ``stated`` (base64 or hex).

    So nobody who reads a body to its end takes a wrong one. Whoever does not read it, does nothing with it.
    """
    digest = hashlib.md5(usedforsecurity=False)

    async def reading() -> Any:
        message = await receive()
        if message["type"] == "http.request":
            digest.update(message.get("body", b""))
            if not message.get("more_body") and not _is(digest.digest(), stated):
                raise error
        return message

    return reading


def _is(digest: bytes, stated: str) -> bool:
    forms = (base64.b64encode(digest).decode(), digest.hex())
    return any(hmac.compare_digest(form.encode(), stated.strip().encode()) for form in forms)
