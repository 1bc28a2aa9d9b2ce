"""The one client for addresses that settings or people name: it looks where an address leads before it goes there (SECURITY 22).

What it does not do: follow redirects, remember answers, know what they mean. Downloads of packages have a session of their own.
"""

from pilothouse.outbound.client import AddressRefused, Answer, Outbound, Unreachable, check_address

__all__ = ["AddressRefused", "Answer", "Outbound", "Unreachable", "check_address"]
