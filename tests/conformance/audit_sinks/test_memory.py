"""The in-memory sink keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from pilothouse.audit.contract import AuditSink, as_line, head_line
from pilothouse.audit.sinks.memory import MemorySink
from pilothouse.testing.audit import AuditSinkSuite


class TestMemory(AuditSinkSuite):
    @pytest.fixture
    def sink(self) -> MemorySink:
        return MemorySink()

    @pytest.fixture
    def again(self, sink: MemorySink) -> Callable[[], AuditSink]:
        return lambda: sink

    @pytest.fixture
    def kept(self, sink: MemorySink) -> Callable[[int], list[str]]:
        return lambda count: [*(as_line(e.facts) for e in sink.events), *(head_line(h) for h in sink.heads())]

    @pytest.fixture
    def away(self, sink: MemorySink) -> AbstractContextManager[object]:
        @contextmanager
        def broken() -> Iterator[None]:
            sink.is_away = True
            yield
            sink.is_away = False

        return broken()
