"""What options are made of: sections, durations, networks."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from datetime import timedelta
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

MB = 1024 * 1024


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: object) -> object:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", value.strip())):
        return timedelta(**{_UNITS[found[2] or "s"]: float(found[1])})
    return value


#: Seconds, or text such as ``90s``, ``15m``, ``12h``, ``30d``; never negative.
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    Field(ge=timedelta(0)),
    PlainSerializer(lambda value: value.total_seconds()),
]


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
        address = ipaddress.ip_address(value.strip().partition("/")[0])
    except ValueError:
        raise ValueError("it must be an address or a network, such as 10.1.2.3 or 10.1.0.0/16") from None
    if "%" in value:
        raise ValueError("it must be an address or a network, without the name of an interface")
    if network.prefixlen == 0:
        raise ValueError("this network holds every address there is; name the proxies only")
    if "/" in value and network.network_address != address:
        raise ValueError("the address has bits behind its mask; write the network's first address, such as 10.1.0.0/16")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise ValueError("an IPv4 address must be written as such, not inside an IPv6 address")
    return str(network)


#: An IP network in its usual form; a single address is a network of one.
Network = Annotated[str, BeforeValidator(_network)]


def _collector(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        is_local = parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc
        is_remote = parts.scheme in ("udp", "tcp") and bool(parts.hostname) and parts.port != 0 and not parts.path
    except ValueError:
        is_local = is_remote = False
    if not (is_local or is_remote) or not value.isprintable() or "@" in value or parts.query or parts.fragment:
        raise ValueError("it must be an address such as unix:/dev/log, udp://10.1.2.3:514 or tcp://logs.example:601")
    return value


#: Where a log collector listens.
Collector = Annotated[str, BeforeValidator(_collector)]

_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,255}")


def is_mail_address(text: str) -> bool:
    """Whether ``text`` is one mail address and nothing more: no name, no list, no quotes, no control characters."""
    is_plain = not any(unicodedata.category(c)[0] in "CZ" for c in text)
    dots = text.replace("@", ".").split(".")
    return is_plain and _ADDRESS.fullmatch(text) is not None and all(dots)


def _mail_address(value: object) -> object:
    if isinstance(value, str) and value and not is_mail_address(value):
        raise ValueError("it must be a mail address such as pilothouse@example.com")
    return value


def _mailbox(value: object) -> object:
    if isinstance(value, str) and value and not (value.isprintable() and is_mail_address(parseaddr(value)[1])):
        raise ValueError("it must be a mail address such as Pilothouse <pilothouse@example.com>")
    return value


#: One mail address, or nothing.
MailAddress = Annotated[str, BeforeValidator(_mail_address)]
#: A mail address with or without a name before it, or nothing.
Mailbox = Annotated[str, BeforeValidator(_mailbox)]
