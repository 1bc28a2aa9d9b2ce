"""From a request's credentials to a `Principal`, from memory where nothing changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from pilothouse.base import clock
from pilothouse.base.access import ANONYMOUS, Principal
from pilothouse.db import Database, Memory, Watch
from pilothouse.identity.contract import InvalidKey
from pilothouse.identity.service.keys import PREFIX, principal_of_key
from pilothouse.identity.service.logins import note_use, principal_of_cookie
from pilothouse.identity.service.signatures import RequestLine, verify
from pilothouse.identity.service.tokens import Signer, signer_of_token

FRESH_S = 60
HOME = RequestLine("GET", "/")
ANONYMOUS_TOKEN = "anonymous-access"
#: Who it is, whose signatures to ask for, that it is nobody, or why a key is refused.
Found = Principal | Signer | InvalidKey | None


@dataclass(frozen=True)
class Credentials:
    """What a request carries: a key (it wins), a token that signed it, or a login cookie."""

    key: str | None = None
    token: str | None = None
    cookie: str | None = None


class Resolver:
    """Keeps what it found for as long as nothing about the person changes, and for a minute at most.

    ``cookie`` is the name of the login cookie. Safe to call from several threads.
    """

    def __init__(self, database: Database, watch: Watch, *, cookie: str) -> None:
        self._database, self.cookie = database, cookie
        self._memory = Memory(watch, ("identity",), self._read, sources=_sources_of, fresh_s=FRESH_S)
        self._lock = threading.Lock()
        self._used: set[tuple[str, str]] = set()

    def resolve(self, headers: Mapping[str, str], line: RequestLine = HOME) -> Principal:
        """``headers`` have lower-case names; ``line`` is what a signature must fit. The body's digest is for the caller to compare.

        Raises `InvalidKey` for a wrong key, token or signature, also where nobody needs one; a wrong cookie is nobody.
        """
        credentials = self.credentials(headers)
        if credentials.key is not None:
            return _principal(self._look("key", credentials.key))
        if credentials.token is not None:
            return self._signed(credentials.token, headers, line)
        host = headers.get("host", "").rsplit(":", 1)[0].lower()
        return _principal(self._look("login", credentials.cookie, host) if credentials.cookie else None)

    def credentials(self, headers: Mapping[str, str]) -> Credentials:
        other = headers.get("x-rsc-authorization", "")
        if other:
            return Credentials(key=_after_word(other, "key") or other.strip())
        for part in headers.get("authorization", "").split(","):
            if (key := _after_word(part.strip(), "key")) is not None:
                return Credentials(key=key)
            bearer = _after_word(part.strip(), "bearer")
            if bearer is not None and bearer.startswith(PREFIX):
                return Credentials(key=bearer)
        if (token := headers.get("x-auth-token", ANONYMOUS_TOKEN)) != ANONYMOUS_TOKEN:
            return Credentials(token=token)
        return Credentials(cookie=cookie_value(headers.get("cookie", ""), self.cookie))

    def flush_uses(self) -> None:
        """Write when keys and logins were last used; called about once a minute, outside requests."""
        with self._lock:
            used, self._used = self._used, set()
        if used:
            with self._database.write() as tx:
                for kind, ref in sorted(used):
                    note_use(tx, kind, ref)

    def _signed(self, token: str, headers: Mapping[str, str], line: RequestLine) -> Principal:
        found = self._look("token", token)
        if not isinstance(found, Signer):
            raise InvalidKey
        verify(found.public_key, headers, line, now=clock.now())
        self._note("token", str(found.principal.token))
        return found.principal

    def _look(self, kind: str, secret: str, host: str = "") -> Principal | Signer | None:
        digest = hashlib.sha256(f"{kind} {host} {secret}".encode()).digest()
        found = self._memory.get(digest, given=(kind, secret, host))
        if isinstance(found, InvalidKey):
            raise InvalidKey(str(found))
        if isinstance(found, Principal):
            self._note(kind, str(found.key) if kind == "key" else found.login or "")
        return found

    def _note(self, kind: str, ref: str) -> None:
        with self._lock:
            self._used.add((kind, ref))

    def _read(self, given: tuple[str, str, str]) -> Found:
        kind, secret, host = given
        with self._database.read() as tx:
            if kind == "login":
                return principal_of_cookie(tx, secret, host=host)
            try:
                return signer_of_token(tx, secret) if kind == "token" else principal_of_key(tx, secret)
            except InvalidKey as error:
                return InvalidKey(str(error))


def _principal(found: Principal | Signer | None) -> Principal:
    return found if isinstance(found, Principal) else ANONYMOUS


def _sources_of(found: Found) -> tuple[tuple[str, int], ...]:
    whose = found.principal if isinstance(found, Signer) else found
    return (("identity", whose.id),) if isinstance(whose, Principal) and whose.id is not None else ()


def cookie_value(header: str, name: str) -> str | None:
    """The value of the cookie ``name``: the last one, if there are several.

    Scripts of an app on the same host can add one for a longer path, to sign its visitor in as somebody else. Browsers send
    longer paths first (RFC 6265, 5.4), and ours, which has the shortest, scripts can't replace.
    """
    last = None
    for part in header.split(";"):
        found, _, value = part.strip().partition("=")
        if found == name:
            last = value.strip('"')
    return last


def _after_word(text: str, word: str) -> str | None:
    """What follows ``word``, which may be nothing; ``None`` if the text begins with another word."""
    first, _, rest = text.partition(" ")
    return rest.strip() if first.lower() == word else None
