"""The conformance suite of audit sinks: subclass `AuditSinkSuite` and give it ``sink`` and ``again``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pilothouse.audit.contract import AuditSink, Head

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


class AuditSinkSuite:
    """Heads come back in order, and survive a restart."""

    @pytest.fixture
    def sink(self) -> AuditSink:
        raise NotImplementedError("give the suite a sink")

    @pytest.fixture
    def again(self) -> Callable[[], AuditSink]:
        raise NotImplementedError("give the suite a way to restart it")

    def test_a_new_sink_has_no_heads(self, sink: AuditSink) -> None:
        assert sink.heads() == []

    def test_heads_come_back_in_the_order_they_were_given(self, sink: AuditSink) -> None:
        heads = [Head(n, f"{n:064x}", AT) for n in (3, 7, 12)]
        for head in heads:
            sink.append(head)
        assert sink.heads() == heads

    def test_heads_survive_a_restart(self, sink: AuditSink, again: Callable[[], AuditSink]) -> None:
        sink.append(Head(1, "a" * 64, AT))
        second = again()
        second.append(Head(2, "b" * 64, AT))
        assert [h.number for h in again().heads()] == [1, 2]
