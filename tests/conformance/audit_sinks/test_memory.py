"""The in-memory sink keeps the contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pilothouse.audit.contract import AuditSink
from pilothouse.audit.sinks.memory import MemorySink
from pilothouse.testing.audit import AuditSinkSuite


class TestMemory(AuditSinkSuite):
    @pytest.fixture
    def sink(self) -> AuditSink:
        return MemorySink()

    @pytest.fixture
    def again(self, sink: AuditSink) -> Callable[[], AuditSink]:
        return lambda: sink
