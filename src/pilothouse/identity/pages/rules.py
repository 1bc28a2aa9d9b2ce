"""The rules for passwords and logins, as the app was given them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from pilothouse.asgi.texts import Catalogue
from pilothouse.identity.contract import Rules, WeakPassword


def rules_of(request: Request) -> Rules:
    return getattr(request.app.state, "identity_rules", None) or Rules()


def password_hint(rules: Rules, texts: Catalogue) -> str:
    """What a new password must be, in the reader's language."""
    return texts.gettext("At least %(n)s characters.") % {"n": rules.password_min_length}


def password_refused(error: WeakPassword, rules: Rules, texts: Catalogue) -> str:
    """Why a new password can't be taken, in the reader's language."""
    short, n = "The password is too short. Choose one of at least %(n)s characters.", rules.password_min_length
    return texts.gettext(short) % {"n": n} if str(error) == short % {"n": n} else texts.gettext(str(error))


RulesOf = Annotated[Rules, Depends(rules_of)]
