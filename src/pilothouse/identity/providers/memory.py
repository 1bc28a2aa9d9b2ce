"""A provider elsewhere, played in memory: for tests of everything that sends a browser away and takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from pilothouse.base.ids import new_token
from pilothouse.identity.contract import Begun, Proof, WrongPassword

ELSEWHERE = "https://sign-in.example"


class MemoryProvider:
    """``codes`` leads from the one-time code that the browser comes back with to the person it stands for."""

    def __init__(self, codes: Mapping[str, Proof]) -> None:
        self._codes = dict(codes)
        self._gone = set[str]()
        self._begun = set[str]()

    def begin(self, return_to: str) -> Begun:
        state = new_token(16)
        self._begun.add(state)
        return Begun(f"{ELSEWHERE}/authorize?{urlencode({'state': state, 'return_to': return_to})}", state)

    def complete(self, state: str, answer: dict[str, str]) -> Proof:
        if state not in self._begun or (proof := self._codes.get(answer.get("code", ""))) is None:
            raise WrongPassword("The sign-in elsewhere could not be confirmed. Begin again.")
        self._begun.discard(state)
        return proof

    def refresh(self, proof: Proof) -> Proof | None:
        return None if proof.username in self._gone else proof

    def forget(self, username: str) -> None:
        """Play that the person left."""
        self._gone.add(username)

    def logout_url(self, return_to: str) -> str | None:
        return f"{ELSEWHERE}/logout?{urlencode({'return_to': return_to})}"
