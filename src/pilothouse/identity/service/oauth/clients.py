"""Programs that register themselves (RFC 7591), and where they may send a browser back to (RFC 8252)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit, urlunsplit

from sqlalchemy import delete, exists, func, select

from pilothouse.base import clock
from pilothouse.base.ids import new_key
from pilothouse.db import Tx
from pilothouse.identity.contract import OAuthRefused, TooManyWaiting
from pilothouse.identity.models import Authorization, DeviceRequest, OAuthClient
from pilothouse.identity.service.attempts import network_of
from pilothouse.identity.service.lines import is_line

#: A client that nobody signed in with is gone after this long.
UNUSED = timedelta(days=1)
#: So many unused ones may there be: of one network, and in all.
UNUSED_OF_NETWORK, UNUSED_IN_ALL = 100, 5000
URIS_LIMIT, URI_LIMIT, TITLE_LIMIT = 10, 2000, 100
NAMELESS = "A program without a name"


@dataclass(frozen=True)
class ClientAsked:
    """What a program says of itself."""

    title: str
    redirect_uris: Sequence[object]


def register_client(tx: Tx, *, asked: ClientAsked, address: str) -> OAuthClient:
    """Remember a program. Anybody may; it can do nothing until a person lets it act as them.

    Raises `OAuthRefused` (``invalid_redirect_uri``, ``invalid_client_metadata``) and `TooManyWaiting`.
    """
    title = asked.title.strip() or NAMELESS
    if not is_line(title, TITLE_LIMIT):
        raise OAuthRefused(
            f"client_name must be one line of at most {TITLE_LIMIT} characters.", error="invalid_client_metadata"
        )
    if not 1 <= len(asked.redirect_uris) <= URIS_LIMIT:
        raise OAuthRefused(f"Send 1 to {URIS_LIMIT} redirect_uris.", error="invalid_redirect_uri")
    uris = [_checked(uri) for uri in asked.redirect_uris]
    network = network_of(address)
    _make_room(tx, network)
    client = OAuthClient(key=new_key(24), title=title, redirect_uris=uris, network=network)
    tx.add(client)
    tx.flush()
    return client


def get_client(tx: Tx, key: str) -> OAuthClient:
    """Raises `OAuthRefused` (``invalid_client``): the program registers again then."""
    client = tx.scalar(select(OAuthClient).where(OAuthClient.key == key)) if is_line(key, 32) else None
    if client is None:
        raise OAuthRefused("There is no such client. Register again.", error="invalid_client")
    return client


def redirect_fits(client: OAuthClient, uri: str) -> bool:
    """Whether the browser may be sent to ``uri``: registered letter by letter, but for the port on the loopback."""
    parts = _split(uri)
    return parts is not None and any(
        uri == known or (is_loopback(parts) and _without_port(parts) == _without_port(urlsplit(known)))
        for known in client.redirect_uris
    )


def is_loopback(parts: SplitResult) -> bool:
    """Addresses only: what the name ``localhost`` means is up to the machine."""
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def unused() -> object:
    """Of clients: nobody signed in with it, and no device waits."""
    return ~exists().where(Authorization.client_id == OAuthClient.id) & ~exists().where(
        DeviceRequest.client_id == OAuthClient.id
    )


def _make_room(tx: Tx, network: str) -> None:
    old = select(OAuthClient.id).where(unused(), OAuthClient.created_at < clock.now() - UNUSED)  # type: ignore[arg-type]
    tx.execute(delete(OAuthClient).where(OAuthClient.id.in_(old)).execution_options(synchronize_session=False))
    waiting = select(func.count()).select_from(OAuthClient).where(unused())  # type: ignore[arg-type]
    if (tx.scalar(waiting.where(OAuthClient.network == network)) or 0) >= UNUSED_OF_NETWORK:
        raise TooManyWaiting(
            "Too many programs registered from your network. Try again tomorrow, or sign in with one of them."
        )
    if (tx.scalar(waiting) or 0) >= UNUSED_IN_ALL:
        raise TooManyWaiting("Too many programs registered here. Try again later.")


def _checked(uri: object) -> str:
    parts = _split(uri) if isinstance(uri, str) and is_line(uri, URI_LIMIT) else None
    is_web = parts is not None and parts.scheme == "https" and bool(parts.hostname)
    if parts is None or not (is_web or is_loopback(parts)):
        raise OAuthRefused(
            "Each of redirect_uris must be an https address, or http on the loopback by its number, as http://127.0.0.1/callback, "
            "without fragment and password.",
            error="invalid_redirect_uri",
        )
    return str(uri)


def _split(uri: str) -> SplitResult | None:
    """``None`` for what no two readers would read alike."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    odd = (
        parts.fragment
        or "#" in uri
        or "@" in parts.netloc
        or "\\" in uri
        or not uri.isascii()
        or not uri.isprintable()
        or " " in uri
    )
    return None if odd else parts


def _without_port(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return urlunsplit(parts._replace(netloc=host))
