"""Grants as the door issues them, and as somebody might forge them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from tests.factories.gateway import GRANTS, MOUNT, Stand

from pilothouse.db.secrets import Keys
from pilothouse.gateway.grants import AUDIENCE, Grants, Visit
from pilothouse.gateway.recent import LIFE_S, RecentGrants

#: The login of whoever has the cookies below.
LOGIN = "l1"
SIGNED_IN = f"{GRANTS.login_cookie}={LOGIN}.secret"
GROUPS = '{"user":"alice","groups":["g1"]}'


def issued(
    stand: Stand, *, login: str | None = LOGIN, host: str | None = None, current: str = "k1", **said: str
) -> str:
    """The ``Set-Cookie`` of a grant for the stand's app on the content port. ``said`` are words of the door, as in `send_to_app`."""
    host = host or f"localhost:{stand.content}"
    words = {"base": f"http://localhost:{stand.content}{said.get('mount', MOUNT)[:-1]}", **said}
    return issued_for(host, words.pop("dst", stand.app_address), login=login, current=current, **words)


def issued_for(host: str, address: str, *, login: str | None = LOGIN, current: str = "k1", **said: str) -> str:
    """The same for any host and address."""
    grants = Grants(
        lambda: Keys(GRANTS.keys, current), issuer=GRANTS.issuer, cookie=GRANTS.cookie, recent=RecentGrants()
    )
    made = grants.issue(door_words(host, address, **said), Visit("v1"), login=login, host=host)
    assert made is not None
    return made


def door_words(host: str, address: str, **said: str) -> dict[str, str]:
    """An answer of the door that leads to an app; an empty word is left out."""
    mount = said.get("mount", MOUNT)
    words = {
        "to": "app5m", "dst": address, "mount": MOUNT, "inner": "/", "prefix": mount[:-1],
        "base": f"http://{host}{mount[:-1]}", "idn": GROUPS, "sub": "7", "jid": "job1", "cid": "content:12", "stage": "1",
        "bundle": "4", **said,
    }  # fmt: skip
    return {f"x-ph-{name}": value for name, value in words.items() if value}


def cookie(set_cookie: str) -> str:
    """What a browser sends back."""
    return set_cookie.partition(";")[0]


def claims_of(set_cookie: str) -> dict[str, Any]:
    middle = cookie(set_cookie).partition("=")[2].split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "==")))


def forged(claims: dict[str, Any], *, key: bytes = GRANTS.keys["k1"], **head: Any) -> str:
    """A cookie with these claims, signed with ``key``."""
    document = {"alg": "HS256", "typ": "JWT", "kid": "k1", **head}
    text = ".".join(_text(json.dumps(part).encode()) for part in (document, claims))
    return f"{GRANTS.cookie}={text}.{_text(hmac.digest(key, text.encode(), hashlib.sha256))}"


def fresh(**changes: Any) -> dict[str, Any]:
    """Claims that only name who, until when and for what kind of reader."""
    now = int(time.time())
    return {"iss": GRANTS.issuer, "aud": AUDIENCE, "iat": now, "exp": now + LIFE_S, **changes}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
