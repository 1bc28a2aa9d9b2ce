"""The in-memory launcher keeps the contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pilothouse.launcher.backends.memory import MemoryLauncher
from pilothouse.testing.launcher import LauncherSuite


class TestMemory(LauncherSuite):
    @pytest.fixture
    def launcher(self) -> MemoryLauncher:
        return MemoryLauncher()

    @pytest.fixture
    def again(self, launcher: MemoryLauncher) -> Callable[[], MemoryLauncher]:
        return lambda: MemoryLauncher(launcher.store)
