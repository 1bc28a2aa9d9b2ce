"""Believing or refusing a signed token (RFC 7519): who signed it, for whom, until when."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from pilothouse.base import clock
from pilothouse.identity.contract import OAuthRefused
from pilothouse.identity.service.exchange.keysets import Key

ALGORITHMS: dict[type, tuple[str, ...]] = {
    RSAKey: ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ECKey: ("ES256", "ES384", "ES512"),
    OKPKey: ("EdDSA", "Ed25519"),
}
KNOWN = frozenset(name for names in ALGORITHMS.values() for name in names)
SIZE_LIMIT = 16 * 1024
#: Clocks may differ so much.
LEEWAY_S = 60
#: A token that is good for longer is no proof of what happens now.
LONGEST = timedelta(hours=24)


@dataclass(frozen=True)
class Unverified:
    """What a token says before anybody checked: good for finding the issuer's keys, and for nothing else."""

    issuer: str
    kid: str | None
    text: str


def read(text: str) -> Unverified:
    """Raises `OAuthRefused` (``invalid_grant``) for what is no signed token with an algorithm of ours."""
    if len(text) > SIZE_LIMIT:
        raise refused("it is larger than 16 kB")
    try:
        found = jws.extract_compact(text.encode())
        header, claims = found.headers(), json.loads(found.payload)
    except (JoseError, ValueError, RecursionError):
        raise refused("it is no signed JWT") from None
    kid = header.get("kid")
    if header.get("alg") not in KNOWN or "crit" in header:
        raise refused("it is not signed with RS, PS, ES or EdDSA")
    if not isinstance(claims, dict) or not isinstance(claims.get("iss"), str):
        raise refused("it names no issuer")
    return Unverified(claims["iss"], kid if isinstance(kid, str) else None, text)


def verified(token: Unverified, keys: Sequence[Key], *, audiences: Collection[str]) -> dict[str, Any]:
    """The claims, once signature, issuer, audience and times were checked. Raises `OAuthRefused` (``invalid_grant``)."""
    claims = next((found for key in keys if (found := _claims(token.text, key)) is not None), None)
    if claims is None:
        raise refused("none of the issuer's keys signed it")
    now = clock.now()
    try:
        jwt.JWTClaimsRegistry(
            now=lambda: int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": token.issuer},
            aud={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
        named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        ends = datetime.fromtimestamp(claims["exp"], UTC)
    except (JoseError, ValueError, TypeError, OverflowError) as error:
        raise refused(_why(error)) from None
    if not any(audience in named for audience in audiences):
        raise OAuthRefused(
            f"The token is genuine, but for another audience than {', '.join(sorted(audiences))}.",
            error="invalid_grant",
        )
    if ends > now + LONGEST:
        raise refused("it is good for more than 24 hours")
    return claims


def replay_key(token: Unverified, claims: dict[str, Any]) -> str:
    """What is the same for a token that comes twice: its issuer's number, or else all of it."""
    number = claims.get("jti")
    part = f"jti {number}" if isinstance(number, str) and number else f"text {token.text.rpartition('.')[0]}"
    return hashlib.sha256(f"{token.issuer} {part}".encode(errors="surrogatepass")).hexdigest()


def refused(why: str) -> OAuthRefused:
    """Clients look for the word “verify”."""
    return OAuthRefused(f"The token could not be verified: {why}.", error="invalid_grant")


def _claims(text: str, key: Key) -> dict[str, Any] | None:
    try:
        return dict(jwt.decode(text, key, algorithms=ALGORITHMS[type(key)]).claims)
    except (JoseError, ValueError, TypeError):
        return None


def _why(error: Exception) -> str:
    claim = getattr(error, "claim", None)
    words = {
        "aud": "it names no audience",
        "exp": "it names no time at which it ends",
        "iat": "it is from the future, or does not say when it was made",
        "nbf": "it is not good yet",
    }
    if "expired" in type(error).__name__.lower():
        return "it has expired"
    return words.get(str(claim), "its claims are not what they should be")
