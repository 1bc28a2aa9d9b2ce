"""Asking another server: its name is resolved once, its addresses are checked, and it is reached at the one that was checked."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx

from pilothouse.base.errors import Invalid, Unavailable
from pilothouse.outbound.addresses import Address, is_in, is_inside

TIMEOUT_S, DEADLINE_S = 5.0, 10.0
SIZE_LIMIT = 1024 * 1024


class AddressRefused(Invalid):
    """This server does not call that address. Name another one, or allow its network in the settings."""

    code = "outbound/address-refused"


class Unreachable(Unavailable):
    """Another server that is needed for this does not answer as it should. Try again in a moment."""

    code = "outbound/unreachable"


@dataclass(frozen=True)
class Answer:
    """What the other server said; it may hold secrets."""

    status: int
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Raises `Unreachable` for anything that is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unreachable("The other server's answer is not JSON. Try again in a moment.") from None


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


class Outbound:
    """``networks`` are those that may be called although they are this machine's or link-local, by plain http as well.

    Proxies that the process's variables name are not used: through one, nobody could tell which address is called.
    """

    def __init__(self, networks: Sequence[str] = (), *, resolve: Callable[[str, int], list[str]] = _resolve) -> None:
        self._networks, self._resolve = [ip_network(network) for network in networks], resolve

    def get_json(self, url: str) -> Any:
        """The document at ``url``. Raises `AddressRefused` and `Unreachable`; neither says more of it than the host's name."""
        answer = self._call("GET", url, {}, None)
        try:
            if answer.status != httpx.codes.OK:
                raise ValueError(f"status {answer.status}")
            return json.loads(answer.body)
        except ValueError as error:
            raise _unreachable(urlsplit(url)) from error

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer, whatever its status: a redirect is not followed, so what is posted goes nowhere else."""
        return self._call("POST", url, headers or {}, body)

    def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        parts = _parts(url)
        address = self._checked(parts)
        try:
            return _asked(method, parts, address, headers, body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unreachable(parts) from error

    def _checked(self, parts: SplitResult) -> Address:
        """The address to call: all that the name stands for are allowed, so that asking again would not lead elsewhere."""
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = [ip_address(text) for text in self._resolve(host, port)]
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"There is no address for {host}. Try again in a moment.") from error
        if not addresses or not all(self._is_allowed(one, parts.scheme) for one in addresses):
            raise _refused(host)
        return addresses[0]

    def _is_allowed(self, address: Address, scheme: str) -> bool:
        return is_in(address, self._networks) or (scheme == "https" and not is_inside(address))


def check_address(url: str) -> None:
    """Whether ``url`` is one that could be called, as far as its text tells. Raises `AddressRefused`."""
    _parts(url)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise _refused("this address") from None
    if not is_sound or "@" in parts.netloc or not url.isprintable() or not url.isascii() or " " in url:
        raise _refused(parts.hostname or "this address")
    return parts


def _refused(host: str) -> AddressRefused:
    return AddressRefused(f"This server does not call {host[:120]}: only https, and no address of its own machine.")


def _unreachable(parts: SplitResult) -> Unreachable:
    return Unreachable(f"{parts.hostname} does not answer as it should. Try again in a moment.")


def _asked(method: str, parts: SplitResult, address: Address, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """The answer, if it is small. The name is still what the certificate and the other side see."""
    host = f"[{address}]" if address.version == 6 else str(address)
    target = urlunsplit(parts._replace(netloc=host + (f":{parts.port}" if parts.port else ""), fragment=""))
    sent = {"Accept": "application/json", **headers, "Host": parts.netloc, "Accept-Encoding": "identity"}
    sent["User-Agent"] = "pilothouse"
    until, found = time.monotonic() + DEADLINE_S, bytearray()
    with (
        httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=ssl.create_default_context()) as client,
        client.stream(
            method, target, headers=sent, content=body, extensions={"sni_hostname": parts.hostname or ""}
        ) as answer,
    ):
        for piece in answer.iter_bytes():
            found += piece
            if len(found) > SIZE_LIMIT or time.monotonic() > until:
                raise ValueError("the answer is too large or too slow")
        return Answer(answer.status_code, bytes(found))
