"""Grants: what the door answered, signed and kept by the browser, so that the gateway need not ask again for a minute.

A grant is an HS256 JWT (RFC 7519) in a cookie whose path is one mount. It repeats what the door has just said about that
mount and this visitor, and holds no secret. The gateway takes it for sub-requests only (`envoy.grants` says for which,
``gate.lua`` compares it with the request); everything else asks the door, which reads it as a hint: even an expired one
tells which worker served this visitor before.

Beside ``iss``, ``aud``, ``iat``, ``exp`` and ``jti`` (the visit, kept at renewal) it has few claims, because Envoy copies
each of them for each request: `GATE` is what the script compares, `USE` what the access log keeps.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pilothouse.base import clock
from pilothouse.base.ids import new_key
from pilothouse.db.secrets import Keys
from pilothouse.gateway import headers as h
from pilothouse.gateway.recent import LIFE_S, RecentGrants

#: Ends in the number of the format: a gateway that knows another one asks the door.
AUDIENCE = "pilothouse-grant-1"
#: Claims: "login host address inner mount", "user job subject stage bundle" (each with `NONE` where there is nothing),
#: and those that Envoy's own parts need by themselves.
GATE, USE, TO, ADDRESS, PREFIX, ORIGIN, IDENTITY = "g", "use", "to", "dst", "pfx", "org", "idn"
NONE = "-"
#: Browsers refuse cookies above 4 kB, and Envoy keeps only smaller ones in its memory of those it has verified.
LARGEST = 3_500
USED = (h.PRINCIPAL, h.JOB, h.SUBJECT, h.STAGE, h.BUNDLE)


def cookie_name(installation: str, *, https: bool) -> str:
    """Cookies ignore ports: the name tells two installations on one host apart."""
    return f"{'__Secure-' if https else ''}ph_grant_{installation}"


def cookie_attributes(name: str, mount: str) -> str:
    """What follows the value in ``Set-Cookie``. It lives as long as the browser's session, because it is a hint after it expired."""
    return f"; Path={mount}; HttpOnly; SameSite=Lax" + ("; Secure" if name.startswith("__Secure-") else "")


@dataclass(frozen=True)
class Visit:
    """What an earlier grant tells, expired or not: the visit it belongs to and the job that it led to."""

    id: str
    job_key: str = ""


class Grants:
    """Issues and reads grants. ``keys`` gives the keys of the moment, ``cookie`` is the name; ``recent`` is told of each."""

    def __init__(self, keys: Callable[[], Keys], *, issuer: str, cookie: str, recent: RecentGrants) -> None:
        self._keys, self._issuer, self._cookie, self._recent = keys, issuer, cookie, recent

    def visit(self, cookies: str, *, mount: str, login: str | None) -> Visit:
        """The visit that the request's ``cookies`` tell of for this mount and this login; else a new one."""
        for claims in self._signed(cookies):
            words = str(claims.get(GATE)).split(" ")
            if (words[0], words[-1]) == (login or NONE, mount):
                return Visit(str(claims.get("jti")), str(claims.get(USE)).split(" ")[1])
        return Visit(new_key(12))

    def issue(self, said: Mapping[str, str], visit: Visit, *, login: str | None, host: str) -> str | None:
        """A ``Set-Cookie`` for what the door ``said`` (its answer's headers); nothing where it would not fit in a cookie."""
        mount, address = said[h.MOUNT], said[h.ADDRESS]
        words = (login or NONE, host, address, said[h.INNER], mount)
        if mount == "/" or any(not word or " " in word for word in words):
            return None
        now = int(clock.now().timestamp())
        claims = {
            "iss": self._issuer, "aud": AUDIENCE, "iat": now, "exp": now + LIFE_S, "jti": visit.id,
            GATE: " ".join(words), USE: " ".join(said.get(name) or NONE for name in USED),
            TO: said[h.TO], ADDRESS: address, PREFIX: said[h.PREFIX],
            ORIGIN: said[h.BASE_URL].removesuffix(said[h.PREFIX]), IDENTITY: said.get(h.IDENTITY, ""),
        }  # fmt: skip
        keys = self._keys()
        text = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': keys.current})}.{_part(claims)}"
        made = f"{self._cookie}={text}.{_signature(text, keys.by_id[keys.current])}{cookie_attributes(self._cookie, mount)}"
        if len(made) > LARGEST:
            return None
        self._recent.note(said[h.JOB], visit.id)
        return made

    def taken_back(self, cookies: str, mount: str) -> str | None:
        """A ``Set-Cookie`` that removes the mount's grant from the browser, where ``cookies`` hold one."""
        if f"{self._cookie}=" not in cookies:
            return None
        return f"{self._cookie}=; Max-Age=0{cookie_attributes(self._cookie, mount)}"

    def _signed(self, cookies: str) -> Iterator[dict[str, Any]]:
        """The claims of all our grants in a ``Cookie`` header whose signature is right, whatever their age."""
        keys = self._keys().by_id
        for pair in cookies.split(";"):
            name, _, token = pair.strip().partition("=")
            text, _, signature = token.rpartition(".")
            if name != self._cookie or not text:
                continue
            try:
                head, claims = (json.loads(_bytes(part)) for part in text.split("."))
                key = keys.get(head.get("kid")) if head.get("alg") == "HS256" else None
                if key and hmac.compare_digest(signature, _signature(text, key)) and claims.get("aud") == AUDIENCE:
                    yield claims
            except (ValueError, AttributeError, TypeError, binascii.Error):
                continue  # somebody else's idea of a grant


def _part(document: Mapping[str, Any]) -> str:
    return _text(json.dumps(document, separators=(",", ":")).encode())


def _signature(text: str, key: bytes) -> str:
    return _text(hmac.digest(key, text.encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
