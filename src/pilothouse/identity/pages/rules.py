"""The rules for passwords and logins, as the app was given them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from pilothouse.identity.contract import Rules


def rules_of(request: Request) -> Rules:
    return getattr(request.app.state, "identity_rules", None) or Rules()


def password_hint(rules: Rules) -> str:
    """What a new password must be."""
    return f"At least {rules.password_min_length} characters."


RulesOf = Annotated[Rules, Depends(rules_of)]
