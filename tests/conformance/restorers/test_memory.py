"""The in-memory restorer keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothouse.runtimes.contract import Restorer, Runtime
from pilothouse.runtimes.restorers.memory import MemoryRestorer
from pilothouse.testing.runtimes import RestorerSuite


class TestMemory(RestorerSuite):
    @pytest.fixture
    def restorer(self) -> Restorer:
        return MemoryRestorer()

    @pytest.fixture
    def runtime(self) -> Runtime:
        return Runtime("python", "3.11.2", Path("/usr/bin/python3"), "build")
