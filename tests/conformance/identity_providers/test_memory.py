"""The provider in memory keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.identity.contract import Proof
from pilothouse.identity.providers.memory import MemoryProvider
from pilothouse.testing.identity import IdentityProviderSuite


class TestMemory(IdentityProviderSuite):
    right = {"code": "c1"}
    wrong = [{}, {"code": "c2"}, {"username": "amara", "password": "harbour-light"}]
    keeps_state = True

    @pytest.fixture
    def provider(self) -> MemoryProvider:
        return MemoryProvider({"c1": Proof("memory", "amara")})


def test_somebody_who_left_is_no_longer_known() -> None:
    provider = MemoryProvider({})
    provider.forget("amara")
    assert provider.refresh(Proof("memory", "amara")) is None
