"""Local users with passwords."""

from __future__ import annotations

from collections.abc import Callable

from pilothouse.base.ids import new_token
from pilothouse.identity.contract import Begun, Proof, WrongPassword


class PasswordProvider:
    """``check(username, password)`` tells whether they fit, in a time that does not depend on whether the user exists."""

    def __init__(self, check: Callable[[str, str], bool]) -> None:
        self._check = check

    def begin(self, return_to: str) -> Begun:
        return Begun(None, new_token(16))

    def complete(self, state: str, answer: dict[str, str]) -> Proof:
        username = answer.get("username", "").strip()
        if not self._check(username, answer.get("password", "")):
            raise WrongPassword
        return Proof("password", username)

    def refresh(self, proof: Proof) -> Proof | None:
        return proof

    def logout_url(self, return_to: str) -> str | None:
        return None
