"""The one client for addresses that settings or people name: it looks where an address leads before it goes there (SECURITY 22).

What it does not do: follow redirects, remember answers, know what they mean.
"""

from pilothouse.outbound.client import AddressRefused, Outbound, Unreachable

__all__ = ["AddressRefused", "Outbound", "Unreachable"]
