"""Which rule of the settings fits a token's claims. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pilothouse.identity.contract import OAuthRefused
from pilothouse.settings.options.trust import TrustedIssuer


def rule_for(rules: Sequence[TrustedIssuer], claims: Mapping[str, Any]) -> TrustedIssuer:
    """The one rule whose claims all fit. Raises `OAuthRefused` (``invalid_grant``) for none, and for several: then it is ambiguous who
    the program is."""
    found = [rule for rule in rules if all(_fits(claims.get(name), wanted) for name, wanted in rule.claims.items())]
    if not found:
        raise OAuthRefused(
            "The token is genuine, but no rule of this server fits its claims. Ask an administrator to look at trusted_issuers.",
            error="invalid_grant",
        )
    if len(found) > 1:
        names = ", ".join(rule.key for rule in found)
        raise OAuthRefused(
            f"It is ambiguous who this token is: the rules {names} all fit. Ask an administrator to make their claims exclude each other.",
            error="invalid_grant",
        )
    return found[0]


def _fits(value: object, wanted: str) -> bool:
    """A list fits if one of its entries does, as with groups."""
    if isinstance(value, list):
        return any(_fits(entry, wanted) for entry in value if not isinstance(entry, list))
    if isinstance(value, bool):
        value = "true" if value else "false"
    return isinstance(value, str | int) and _pattern(wanted).fullmatch(str(value)) is not None


@lru_cache(maxsize=256)
def _pattern(wanted: str) -> re.Pattern[str]:
    parts = {"**": ".*", "*": "[^/:]*"}
    return re.compile("".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", wanted)))
