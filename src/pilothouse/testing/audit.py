"""The conformance suite of audit sinks: subclass `AuditSinkSuite` and give it ``sink``, ``again``, ``kept`` and ``away``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest

from pilothouse.audit.contract import AuditSink, Head, Sealed, heads_in

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
NASTY = "first\nsecond\x1b[2J\x7f\x85\u2028\u202e é 漢 \ud800"


def head(number: int) -> Head:
    return Head(number, f"{number:064x}", AT)


def sealed(number: int, value: str = "plan") -> Sealed:
    facts = {
        "seal": number,
        "mac": f"{number:064x}",
        "id": number,
        "at": AT.isoformat(),
        "changes": {"name": [None, value]},
    }
    return Sealed(number, AT, facts)


class AuditSinkSuite:
    """Heads and events arrive in order, whole and harmless; what could not be kept is said; a restart loses nothing."""

    @pytest.fixture
    def sink(self) -> AuditSink:
        raise NotImplementedError("give the suite a sink that keeps events as well")

    @pytest.fixture
    def again(self) -> Callable[[], AuditSink]:
        raise NotImplementedError("give the suite a way to restart it")

    @pytest.fixture
    def kept(self) -> Callable[[int], Sequence[str]]:
        raise NotImplementedError("give the suite the lines at the far end, once there are as many: heads and events")

    @pytest.fixture
    def away(self) -> AbstractContextManager[object]:
        raise NotImplementedError("give the suite a time during which the place can't be written")

    def test_a_new_sink_has_no_heads_or_can_not_say(self, sink: AuditSink) -> None:
        assert sink.heads() in ([], None)

    def test_heads_arrive_in_the_order_they_were_given(self, sink: AuditSink, kept: Callable[[int], list[str]]) -> None:
        heads = [head(n) for n in (3, 7, 12)]
        for each in heads:
            sink.append(each, [])
        assert heads_in(kept(3)) == heads
        assert sink.heads() in (heads, None)

    def test_events_arrive_whole_and_in_order(self, sink: AuditSink, kept: Callable[[int], list[str]]) -> None:
        sink.append(head(2), [sealed(1), sealed(2)])
        sink.append(head(3), [sealed(3)])
        assert [facts["seal"] for facts in events_in(kept(5))] == [1, 2, 3]
        assert heads_in(kept(5)) == [head(2), head(3)]

    def test_nothing_that_steers_a_terminal_or_ends_a_line_arrives(
        self, sink: AuditSink, kept: Callable[[int], list[str]]
    ) -> None:
        sink.append(head(1), [sealed(1, NASTY)])
        lines = kept(2)
        assert len(lines) == 2 and all(line.isascii() and line.isprintable() for line in lines)
        (facts,) = events_in(lines)
        assert facts["changes"] == {"name": [None, NASTY]}

    def test_a_very_long_event_arrives_as_json(self, sink: AuditSink, kept: Callable[[int], list[str]]) -> None:
        sink.append(head(1), [sealed(1, "x" * 200_000)])
        (facts,) = events_in(kept(2))
        assert facts["seal"] == 1 and facts["changes"]

    def test_a_restart_loses_nothing(
        self, sink: AuditSink, again: Callable[[], AuditSink], kept: Callable[[int], list[str]]
    ) -> None:
        sink.append(head(1), [sealed(1)])
        again().append(head(2), [sealed(2)])
        assert [h.number for h in heads_in(kept(4))] == [1, 2]
        assert [facts["seal"] for facts in events_in(kept(4))] == [1, 2]

    def test_what_can_not_be_kept_is_said_and_can_come_again(
        self, sink: AuditSink, away: AbstractContextManager[object], kept: Callable[[int], list[str]]
    ) -> None:
        with away, pytest.raises(OSError):
            for _ in range(3):  # a protocol without answers learns it from the one before
                sink.append(head(1), [sealed(1)])
        sink.append(head(1), [sealed(1)])
        assert heads_in(kept(2))[-1] == head(1)


def events_in(lines: Sequence[str]) -> list[dict[str, object]]:
    """The events among ``lines``, whatever stands before their JSON."""
    found = [json.loads(line[line.index("{") :]) for line in lines]
    return [facts for facts in found if "seal" in facts]
