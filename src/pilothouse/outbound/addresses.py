"""Where an address leads: whether to this machine, its link or its cloud's secrets. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Where clouds tell their machines secrets, beside the link-local 169.254.169.254.
METADATA = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254")))
#: IPv6 networks whose addresses hold one of IPv4 in their last 32 bits: it is that one that is called.
HOLDING_V4 = tuple(map(IPv6Network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48")))
THIS_NETWORK = IPv4Network("0.0.0.0/8")


def meant(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in HOLDING_V4) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_inside(address: Address) -> bool:
    """Whether an address leads to this machine, its link or its cloud's secrets, in whatever form it is written."""
    real = meant(address)
    if real in METADATA or (isinstance(real, IPv4Address) and real in THIS_NETWORK):
        return True
    return real.is_loopback or real.is_link_local or real.is_multicast or real.is_unspecified or real.is_reserved


def is_in(address: Address, networks: Iterable[Network]) -> bool:
    """Whether it is in one of them, in whatever form it is written."""
    real = meant(address)
    return any(one.version == network.version and one in network for network in networks for one in (address, real))
