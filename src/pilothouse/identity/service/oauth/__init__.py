"""Programs that sign in for a person (OAuth 2.1): registering, codes, devices, tokens, and ending it.

Start at ``authorizations.py``; ``clients.py`` and ``devices.py`` lead to it, ``grants.py`` turns what a program holds into tokens.
"""

from pilothouse.identity.service.oauth.authorizations import (
    allow,
    authorizations,
    get_authorization,
    revoke_authorization,
)
from pilothouse.identity.service.oauth.clients import ClientAsked, get_client, redirect_fits, register_client
from pilothouse.identity.service.oauth.devices import (
    DeviceBegun,
    allow_device,
    begin_device,
    deny_device,
    find_device,
    redeem_device,
)
from pilothouse.identity.service.oauth.grants import Issued, redeem_code, refresh, revoke_token_text
from pilothouse.identity.service.oauth.sweeping import sweep

__all__ = [
    "ClientAsked", "DeviceBegun", "Issued", "allow", "allow_device", "authorizations", "begin_device", "deny_device", "find_device",
    "get_authorization", "get_client", "redeem_code", "redeem_device", "redirect_fits", "refresh", "register_client",
    "revoke_authorization", "revoke_token_text", "sweep",
]  # fmt: skip
