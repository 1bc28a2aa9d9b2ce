"""From a code or a refresh token to tokens, and back to nothing (RFC 6749, 7009; OAuth 2.1).

These open their own transactions: what shows that a token was stolen ends the authorization, although the request is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.base.access import SYSTEM
from pilothouse.base.ids import new_token
from pilothouse.db import Database, Tx
from pilothouse.identity.contract import OAuthRefused, Rules
from pilothouse.identity.models import ApiKey, Authorization, OAuthClient
from pilothouse.identity.service.keys import PREFIX
from pilothouse.identity.service.oauth.authorizations import digest, revoke_authorization
from pilothouse.identity.service.oauth.clients import get_client

REFRESH_PREFIX = "phr_"
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Issued:
    """Tokens; the only time they are seen."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int


def redeem_code(
    database: Database, *, client_key: str, code: str, redirect_uri: str, verifier: str, rules: Rules = Rules()
) -> Issued:
    """Tokens for an authorization code. A code is good once, even if what came with it is wrong; twice ends what it gave.

    Raises `OAuthRefused` (``invalid_grant``, ``invalid_client``).
    """
    with database.write() as tx:
        client = get_client(tx, client_key)
        given = _locked(tx, Authorization.code_digest == digest(code))
        if given is not None and given.client_id == client.id:
            is_first, given.code_used_at = given.code_used_at is None, given.code_used_at or clock.now()
            if not is_first:
                revoke_authorization(tx, SYSTEM, given, how="code used twice")
            elif _is_fit(given, redirect_uri, verifier):
                return issue(tx, given, rules)
    raise OAuthRefused(
        "The code is not valid: unknown, expired, used already, or not for this client, redirect_uri and code_verifier. Sign in again.",
        error="invalid_grant",
    )


def refresh(database: Database, *, client_key: str, token: str, rules: Rules = Rules()) -> Issued:
    """New tokens for a refresh token, which is worth nothing afterwards, as is the access token. An old one ends all: somebody else has it.

    Raises `OAuthRefused` (``invalid_grant``, ``invalid_client``).
    """
    with database.write() as tx:
        client = get_client(tx, client_key)
        given = _of_refresh_token(tx, token)
        if given is not None and given.client_id == client.id and given.revoked_at is None:
            if not hmac.compare_digest(given.refresh_digest or "", digest(token)):
                revoke_authorization(tx, SYSTEM, given, how="refresh token used twice")
            elif given.refresh_until is not None and given.refresh_until > clock.now() and _is_active(given):
                return issue(tx, given, rules, family=_family(token))
    raise OAuthRefused(
        "The refresh token is not valid: unknown, expired, revoked or used already. Sign in again.",
        error="invalid_grant",
    )


def revoke_token_text(database: Database, *, client_key: str, token: str) -> None:
    """End what an access or refresh token belongs to (RFC 7009). One that is unknown, or another program's, is a no-op."""
    with database.write() as tx:
        client = get_client(tx, client_key) if client_key else None
        given = _of_refresh_token(tx, token)
        if given is None:
            key = tx.scalar(select(ApiKey).where(ApiKey.digest == digest(token), ApiKey.authorization_id.is_not(None)))
            given = tx.get(Authorization, key.authorization_id) if key else None
        if given is not None and (client is None or client.id == given.client_id):
            revoke_authorization(tx, SYSTEM, given, how="program")


def issue(tx: Tx, given: Authorization, rules: Rules, *, family: str = "") -> Issued:
    """New tokens of an authorization; its former ones are worth nothing from now on. ``family`` is that of the refresh token before."""
    now, access = clock.now(), PREFIX + new_token(32)
    key = tx.scalar(select(ApiKey).where(ApiKey.authorization_id == given.id))
    if key is None:
        title = tx.get_one(OAuthClient, given.client_id).title
        key = ApiKey(user_id=given.user_id, name=title, authorization_id=given.id, stage_id=given.stage_id)
        tx.add(key)
    key.digest, key.prefix, key.expires_at = digest(access), access[:8], now + rules.access_token_lifetime
    family = family or new_token(16)
    token = f"{REFRESH_PREFIX}{family}.{new_token(32)}"
    given.refresh_family, given.refresh_digest = digest(family), digest(token)
    given.refresh_until = now + rules.refresh_token_lifetime
    return Issued(access, token, int(rules.access_token_lifetime.total_seconds()))


def _of_refresh_token(tx: Tx, token: str) -> Authorization | None:
    is_one = token.startswith(REFRESH_PREFIX) and "." in token
    return _locked(tx, Authorization.refresh_family == digest(_family(token))) if is_one else None


def _family(token: str) -> str:
    return token.removeprefix(REFRESH_PREFIX).partition(".")[0]


def _locked(tx: Tx, chosen: object) -> Authorization | None:
    """The row, held until the transaction ends: of two who come at once one is the second."""
    return tx.scalar(select(Authorization).where(chosen).with_for_update(of=Authorization))  # type: ignore[arg-type]


def _is_fit(given: Authorization, redirect_uri: str, verifier: str) -> bool:
    in_time = given.code_until is not None and given.code_until > clock.now()
    return (
        in_time
        and given.revoked_at is None
        and redirect_uri == given.redirect_uri
        and _is_active(given)
        and proves(verifier, given.code_challenge or "")
    )


def _is_active(given: Authorization) -> bool:
    return not given.user.locked and given.user.deleted_at is None


def proves(verifier: str, challenge: str) -> bool:
    """Whether the verifier is the one that the challenge was made of (RFC 7636, S256)."""
    if not VERIFIER.fullmatch(verifier):
        return False
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)
