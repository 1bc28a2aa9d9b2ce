"""The ``state`` of a sign-in at another service: whose it is, at what, and where to go on. Nothing is stored for it.

It is bound to the browser's login, so that nobody can finish in another's name what they began themselves (RFC 6749, 10.12).
The verifier of PKCE is derived from it and never leaves the server but to the token endpoint.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta

from pilothouse.base import clock
from pilothouse.base.ids import derived_token, new_token
from pilothouse.integrations.contract import LoginAtProviderInvalid

LIFE = timedelta(minutes=10)


@dataclass(frozen=True)
class Begun:
    """A sign-in under way: at which integration, and the path that the visitor came from."""

    integration: str
    towards: str = ""


class States:
    """Makes and reads them with ``key``."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def begin(self, begun: Begun, *, login: str) -> str:
        until = int((clock.now() + LIFE).timestamp())
        text = _text(json.dumps([begun.integration, begun.towards, until, new_token(16)]).encode())
        return f"{text}.{self._signature(text, login)}"

    def read(self, state: str, *, login: str) -> Begun:
        """Raises `LoginAtProviderInvalid`."""
        text, _, signature = state.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text, login).encode()):
            raise LoginAtProviderInvalid
        try:
            integration, towards, until, _ = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, binascii.Error):
            raise LoginAtProviderInvalid from None
        if until < clock.now().timestamp():
            raise LoginAtProviderInvalid
        return Begun(integration, towards)

    def verifier(self, state: str) -> str:
        """43 characters that only this server can make of it."""
        return derived_token(self._key, f"pkce {state}")

    def _signature(self, text: str, login: str) -> str:
        return derived_token(self._key, f"state {login} {text}")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
