"""The conformance suite of identity providers: subclass `IdentityProviderSuite`."""

from __future__ import annotations

import pytest

from pilothouse.base.errors import NotAuthenticated
from pilothouse.identity.contract import IdentityProvider


class IdentityProviderSuite:
    """``right`` is an answer that proves who ``username`` is, ``wrong`` are answers that must not."""

    username = "amara"
    right: dict[str, str] = {}  # noqa: RUF012 - constants that subclasses replace
    wrong: list[dict[str, str]] = []  # noqa: RUF012

    @pytest.fixture
    def provider(self) -> IdentityProvider:
        raise NotImplementedError("give the suite a provider")

    def test_the_right_answer_proves_the_name(self, provider: IdentityProvider) -> None:
        begun = provider.begin("/")
        assert provider.complete(begun.state, self.right).username == self.username

    def test_wrong_answers_prove_nothing(self, provider: IdentityProvider) -> None:
        assert self.wrong, "a provider that nobody can fail at proves nothing"
        for answer in self.wrong:
            with pytest.raises(NotAuthenticated):
                provider.complete(provider.begin("/").state, answer)

    def test_two_sign_ins_have_states_of_their_own(self, provider: IdentityProvider) -> None:
        assert provider.begin("/").state != provider.begin("/").state

    def test_somebody_known_is_still_known(self, provider: IdentityProvider) -> None:
        proof = provider.complete(provider.begin("/").state, self.right)
        refreshed = provider.refresh(proof)
        assert refreshed is not None
        assert refreshed.username == self.username
