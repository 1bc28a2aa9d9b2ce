"""The filter that verifies grants. Only what a sub-request of a page may be reads one; all else asks the door.

Page loads, WebSocket handshakes and whatever carries a key match a rule without requirements, which leaves the grant unread.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from pilothouse.gateway import grants
from pilothouse.gateway.envoy.blocks import GRANTED, Json, extension
from pilothouse.gateway.envoy.plan import GrantPlan
from pilothouse.gateway.recent import LIFE_S, TOLERANCE_S

#: The metadata's name within the filter's, and the header that carries one claim to the script (cheaper than metadata).
PAYLOAD, GATE_HEADER = "grant", "x-ph-g"
PROVIDER = "grant"
#: Our keys, wherever in a list of credentials they stand.
OUR_KEYS = "(?i)(?:.*[^a-z0-9])?(?:key\\s|bearer\\s+ph_).*"
#: Verified grants that each of Envoy's threads remembers.
REMEMBERED = 1_000


def verifier(plan: GrantPlan) -> Json:
    provider = {
        "issuer": plan.issuer,
        "audiences": [grants.AUDIENCE],
        "local_jwks": {"inline_string": key_set(plan)},
        "from_cookies": [plan.cookie],
        "forward": True,
        "payload_in_metadata": PAYLOAD,
        "claim_to_headers": [{"header_name": GATE_HEADER, "claim_name": grants.GATE}],
        "require_expiration": True,
        "max_lifetime": f"{LIFE_S}s",
        "clock_skew_seconds": TOLERANCE_S,
        "jwt_cache_config": {"jwt_cache_size": REMEMBERED, "jwt_max_token_size": 4096},
    }
    either = {"requirements": [{"provider_name": PROVIDER}, {"allow_missing_or_failed": {}}]}
    rules: list[Json] = [{"match": {"prefix": "/", "headers": headers}} for headers in _asking()]
    rules.append({"match": {"prefix": "/"}, "requires": {"requires_any": either}})
    kind = "filters.http.jwt_authn.v3.JwtAuthentication"
    return extension(GRANTED, kind, providers={PROVIDER: provider}, rules=rules)


def key_set(plan: GrantPlan) -> str:
    """The keys as a JWK set (RFC 7517)."""
    keys = [
        {"kty": "oct", "alg": "HS256", "kid": kid, "k": base64.urlsafe_b64encode(key).rstrip(b"=").decode()}
        for kid, key in plan.keys.items()
    ]
    return json.dumps({"keys": keys})


def _asking() -> list[list[Json]]:
    """Headers of requests that always ask the door, each a list of conditions that hold together."""
    return [
        [_has("upgrade")],
        [_has("x-rsc-authorization")],
        [_has("x-auth-token")],
        [_has("x-auth-signature")],
        [_word("authorization", safe_regex={"regex": OUR_KEYS})],
        [_word("sec-fetch-mode", exact="navigate")],
        [_has("upgrade-insecure-requests"), _has("sec-fetch-mode", there=False)],
    ]


def _has(name: str, *, there: bool = True) -> Json:
    return {"name": name, "present_match": there}


def _word(name: str, **match: Any) -> Json:
    return {"name": name, "string_match": match}
