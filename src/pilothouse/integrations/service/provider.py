"""What is said to the other service: where visitors are sent, and how codes, refresh tokens and secrets become tokens (RFC 6749, 7636)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

from pilothouse.base import clock
from pilothouse.integrations.contract import POST, PUBLIC, ProviderRefused, SignInNeeded, Terms
from pilothouse.outbound import Answer, Outbound, Unreachable

ERROR = re.compile(r"[a-z0-9_.-]{1,60}")
OK, FAILED = 200, 500
LONGEST = timedelta(days=365)


@dataclass(frozen=True)
class Tokens:
    """What the service gave. ``expires_at`` is ``None`` where it did not say."""

    access: str = field(repr=False)
    kind: str = "Bearer"
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


def sign_in_address(terms: Terms, *, redirect_uri: str, state: str, verifier: str) -> str:
    """Where a visitor's browser goes to let us act as them."""
    query = {
        "response_type": "code",
        "client_id": terms.public["client_id"],
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
    }
    if scopes := terms.public.get("scopes"):
        query["scope"] = scopes
    address = terms.public["authorization_uri"]
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"


def tokens_for_code(outbound: Outbound, terms: Terms, *, code: str, redirect_uri: str, verifier: str) -> Tokens:
    """Raises `ProviderRefused`, `Unreachable`, `AddressRefused`."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return _tokens(outbound, terms, form)


def renewed(outbound: Outbound, terms: Terms, refresh: str) -> Tokens:
    """New tokens for a refresh token, which may be worth nothing afterwards. Raises `SignInNeeded` when it is so already."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    try:
        found = _tokens(outbound, terms, form)
    except ProviderRefused as error:
        if error.facts.get("error") == "invalid_grant":
            raise SignInNeeded from None
        raise
    return found if found.refresh else Tokens(found.access, found.kind, refresh, found.expires_at)


def tokens_of_account(outbound: Outbound, terms: Terms) -> Tokens:
    """Those of the service account that content itself has there."""
    form = {"grant_type": "client_credentials"}
    if scopes := terms.public.get("scopes"):
        form["scope"] = scopes
    return _tokens(outbound, terms, form)


def _tokens(outbound: Outbound, terms: Terms, form: Mapping[str, str]) -> Tokens:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    sent, client, secret = dict(form), terms.public["client_id"], terms.secret.get("client_secret", "")
    if terms.public.get("auth_mode") == PUBLIC:
        sent["client_id"] = client
    elif terms.public.get("token_endpoint_auth_method") == POST:
        sent |= {"client_id": client, "client_secret": secret}
    else:
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return _read(outbound.post(terms.public["token_uri"], urlencode(sent).encode(), headers=headers))


def _read(answer: Answer) -> Tokens:
    if answer.status >= FAILED:
        raise Unreachable
    said = answer.json()
    if not isinstance(said, dict):
        raise Unreachable("The other service answered with something that is no token. Try again in a moment.")
    access = said.get("access_token")
    if answer.status != OK or not isinstance(access, str) or not access:
        error = str(said.get("error"))
        known = error if ERROR.fullmatch(error) else "no access token"
        raise ProviderRefused(
            f"The other service refused ({known}). Ask the administrator who set up the integration.", error=known
        )
    refresh, kind = said.get("refresh_token"), said.get("token_type")
    return Tokens(
        access, kind if isinstance(kind, str) and kind else "Bearer", refresh if isinstance(refresh, str) else None,
        _end(said.get("expires_in")),
    )  # fmt: skip


def _end(seconds: object) -> datetime | None:
    if isinstance(seconds, str) and seconds.isdigit() and len(seconds) < 12:
        seconds = int(seconds)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds <= 0:
        return None
    return clock.now() + min(timedelta(seconds=min(seconds, LONGEST.total_seconds())), LONGEST)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
