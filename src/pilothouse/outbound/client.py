"""Asking another server for a JSON document: resolved once, checked, and reached at the address that was checked."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx

from pilothouse.base.errors import Invalid, Unavailable

TIMEOUT_S, DEADLINE_S = 5.0, 10.0
SIZE_LIMIT = 1024 * 1024
#: Where clouds tell their machines secrets, beside the link-local 169.254.169.254.
METADATA = ip_address("fd00:ec2::254")
Address = IPv4Address | IPv6Address


class AddressRefused(Invalid):
    """This server does not call that address. Name another one, or allow its network in the settings."""

    code = "outbound/address-refused"


class Unreachable(Unavailable):
    """Another server that is needed for this does not answer as it should. Try again in a moment."""

    code = "outbound/unreachable"


class Outbound:
    """``networks`` are those that may be called although they are this machine's or link-local, by plain http as well."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = [ip_network(network) for network in networks]

    def get_json(self, url: str) -> Any:
        """The document at ``url``. Raises `AddressRefused` and `Unreachable`; neither says more of it than the host's name."""
        parts = urlsplit(url)
        address = self._checked(parts)
        try:
            return json.loads(_read(parts, address))
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(f"{parts.hostname} does not answer as it should. Try again in a moment.") from error

    def _checked(self, parts: SplitResult) -> Address:
        """The address to call: all that the name stands for are allowed, so that asking again would not lead elsewhere."""
        refused = AddressRefused(
            f"This server does not call {parts.hostname or 'this address'}: only https, and no address of its own machine."
        )
        try:
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise refused from None
        if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc:
            raise refused
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"There is no address for {host}. Try again in a moment.") from error
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not addresses or not all(self._is_allowed(one, parts.scheme) for one in addresses):
            raise refused
        return addresses[0]

    def _is_allowed(self, address: Address, scheme: str) -> bool:
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        return scheme == "https" and not is_inside(address)


def is_inside(address: Address) -> bool:
    """Whether an address leads to this machine, its link or its cloud's secrets, in whatever form it is written."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if mapped is not None:
        return is_inside(mapped)
    odd = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )
    return odd or address == METADATA or (isinstance(address, IPv4Address) and address in ip_network("0.0.0.0/8"))


def _read(parts: SplitResult, address: Address) -> bytes:
    """The body, if it is a 200 and small. The name is still what the certificate and the other side see."""
    host = f"[{address}]" if address.version == 6 else str(address)
    target = urlunsplit(parts._replace(netloc=host + (f":{parts.port}" if parts.port else ""), fragment=""))
    headers = {
        "Host": parts.netloc,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "pilothouse",
    }
    until, body = time.monotonic() + DEADLINE_S, bytearray()
    with (
        httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=ssl.create_default_context()) as client,
        client.stream("GET", target, headers=headers, extensions={"sni_hostname": parts.hostname or ""}) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"status {answer.status_code}")
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > SIZE_LIMIT or time.monotonic() > until:
                raise ValueError("the answer is too large or too slow")
    return bytes(body)
