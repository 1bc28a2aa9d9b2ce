"""The public keys of issuers, fetched when they are needed and kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from pilothouse.base.errors import Unavailable
from pilothouse.outbound import Outbound, Unreachable
from pilothouse.settings.options.trust import TrustedIssuer

Key = RSAKey | ECKey | OKPKey
#: Keys are fresh so long; a key that is not among them is looked for again, but not more often than this.
FRESH_S, AGAIN_S = 600.0, 30.0
#: While the issuer does not answer, its last keys are believed so long.
STALE_S = 24 * 3600.0
KEYS_LIMIT = 100


@dataclass(frozen=True)
class _Known:
    keys: tuple[Key, ...]
    fetched_at: float


class KeySets:
    """Safe to call from several threads; one fetches at a time, so that a crowd of made-up tokens costs an issuer nothing."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound, self._lock = outbound, threading.Lock()
        self._known: dict[tuple[str, str], _Known] = {}
        self._tried: dict[tuple[str, str], float] = {}

    def keys(self, rule: TrustedIssuer, kid: str | None) -> tuple[Key, ...]:
        """The issuer's keys that may have signed: those of this id, or all where the token names none. Raises `Unavailable`."""
        with self._lock:
            place, now = (rule.issuer, rule.jwks_uri), time.monotonic()
            known = self._known.get(place)
            is_fresh = known is not None and now - known.fetched_at < FRESH_S and bool(_named(known.keys, kid))
            if not is_fresh and now - self._tried.get(place, -AGAIN_S) >= AGAIN_S:
                self._tried[place] = now
                known = self._fetched(rule, known, now)
            if known is None:
                raise Unreachable(f"The keys of {rule.issuer} could not be fetched. Try again in a moment.")
            self._known[place] = known
        return _named(known.keys, kid)

    def _fetched(self, rule: TrustedIssuer, known: _Known | None, now: float) -> _Known | None:
        try:
            return _Known(self._fetch(rule), now)
        except Unavailable:
            if known is None or now - known.fetched_at > STALE_S:
                self._known.pop((rule.issuer, rule.jwks_uri), None)
                raise
            return known

    def _fetch(self, rule: TrustedIssuer) -> tuple[Key, ...]:
        uri = rule.jwks_uri
        if not uri:
            found = self._outbound.get_json(rule.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if (
                not isinstance(found, dict)
                or found.get("issuer") != rule.issuer
                or not isinstance(found.get("jwks_uri"), str)
            ):
                raise Unreachable(f"{rule.issuer} does not describe itself as that issuer.")
            uri = found["jwks_uri"]
        document = self._outbound.get_json(uri)
        entries = document.get("keys") if isinstance(document, dict) else None
        keys = [_key(entry) for entry in entries[:KEYS_LIMIT]] if isinstance(entries, list) else []
        return tuple(key for key in keys if key is not None)


def _key(entry: object) -> Key | None:
    """Only what signs with a private key of the issuer's: shared secrets, and what is for encryption, are passed over."""
    if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
        return None
    public: dict[str, Any] = {
        name: value for name, value in entry.items() if name not in ("d", "p", "q", "dp", "dq", "qi")
    }
    try:
        key = import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _named(keys: tuple[Key, ...], kid: str | None) -> tuple[Key, ...]:
    return tuple(key for key in keys if kid is None or key.kid == kid)
