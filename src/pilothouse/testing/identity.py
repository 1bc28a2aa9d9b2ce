"""The conformance suite of identity providers: subclass `IdentityProviderSuite`."""

from __future__ import annotations

import pytest

from pilothouse.base.errors import NotAuthenticated
from pilothouse.identity.contract import IdentityProvider


class IdentityProviderSuite:
    """``right`` is an answer that proves who ``username`` is, ``wrong`` are answers that must not.

    ``keeps_state``: the browser goes elsewhere and comes back, so that only a state that was begun here counts, and once.
    """

    username = "amara"
    right: dict[str, str] = {}  # noqa: RUF012 - constants that subclasses replace
    wrong: list[dict[str, str]] = []  # noqa: RUF012
    keeps_state = False

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

    def test_a_state_counts_once_and_only_if_it_was_begun_here(self, provider: IdentityProvider) -> None:
        begun = provider.begin("/")
        assert (begun.redirect is not None) is self.keeps_state
        if not self.keeps_state:
            pytest.skip("the form is our own: nobody comes back from elsewhere")
        with pytest.raises(NotAuthenticated):
            provider.complete("somebody-elses-state", self.right)
        provider.complete(begun.state, self.right)
        with pytest.raises(NotAuthenticated):
            provider.complete(begun.state, self.right)

    def test_after_signing_out_the_browser_stays_or_goes_to_an_address(self, provider: IdentityProvider) -> None:
        target = provider.logout_url("/apps/")
        assert target is None or target.startswith(("https://", "http://", "/"))

    def test_a_proof_says_who_gave_it(self, provider: IdentityProvider) -> None:
        assert provider.complete(provider.begin("/").state, self.right).provider
