"""The in-memory store keeps the contract."""

from __future__ import annotations

import pytest

from pilothouse.storage.contract import BlobStore
from pilothouse.storage.stores.memory import MemoryStore
from pilothouse.testing.storage import BlobStoreSuite


class TestMemory(BlobStoreSuite):
    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryStore()
