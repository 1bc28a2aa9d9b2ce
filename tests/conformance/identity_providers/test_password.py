"""Passwords keep the contract."""

from __future__ import annotations

import pytest

from pilothouse.identity.contract import IdentityProvider
from pilothouse.identity.providers.password import PasswordProvider
from pilothouse.identity.service.passwords import hash_password, matches
from pilothouse.testing.identity import IdentityProviderSuite

KNOWN = {"amara": hash_password("harbour-light")}


class TestPassword(IdentityProviderSuite):
    right = {"username": "amara", "password": "harbour-light"}
    wrong = [
        {},
        {"username": "amara"},
        {"username": "amara", "password": "x"},
        {"username": "nobody", "password": "harbour-light"},
    ]

    @pytest.fixture
    def provider(self) -> IdentityProvider:
        return PasswordProvider(lambda username, password: matches(password, KNOWN.get(username)))
