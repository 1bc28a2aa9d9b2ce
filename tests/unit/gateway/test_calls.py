from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from pilothouse.base import clock
from pilothouse.gateway.calls import FORGOTTEN_S, LAG_S, WINDOW_S, Calls
from pilothouse.testing.clock import FrozenClock


def line(call: str, *, lasted_s: float, kind: str = "DownstreamEnd") -> dict[str, Any]:
    """What the log tells of a call that ends now."""
    began_at = clock.now() - timedelta(seconds=lasted_s)
    return {"id": call, "kind": kind, "t": began_at.isoformat(), "ms": int(lasted_s * 1000)}


def steadily(calls: Calls, at: FrozenClock, *, per_s: int, lasting_s: float, seconds: int) -> list[float]:
    """Calls begin evenly and each lasts for so long; the average that is seen after each second."""
    ends: list[tuple[float, str]] = []
    seen, now, step = [], 0.0, 1 / per_s
    for number in range(per_s * seconds):
        while ends and ends[0][0] <= now:
            calls.heard(line(ends.pop(0)[1], lasted_s=lasting_s))
        calls.let_in(f"{per_s} {number}", "job1")
        ends.append((now + lasting_s, f"{per_s} {number}"))
        at.advance(seconds=step)
        now += step
        if (number + 1) % per_s == 0:
            seen.append(calls.at_once("job1"))
    for _, call in ends:
        calls.heard(line(call, lasted_s=lasting_s))
    return seen


@pytest.mark.parametrize(
    ("per_s", "lasting_s", "at_once"),
    [(10, 0.5, 5), (100, 0.01, 1), (2, 1, 2), (2, 4, 8), (1, 12, 12)],
    ids=["short", "very short", "a second", "longer than the lag", "longer than the average"],
)
def test_the_average_is_how_many_are_served_at_once(
    frozen_clock: FrozenClock, per_s: int, lasting_s: float, at_once: float
) -> None:
    calls = Calls()
    seen = steadily(calls, frozen_clock, per_s=per_s, lasting_s=lasting_s, seconds=30)
    assert seen[-1] == pytest.approx(at_once, rel=0.1)
    frozen_clock.advance(seconds=LAG_S + WINDOW_S + 1)
    assert (calls.at_once("job1"), calls.open("job1")) == (0, 0)


def test_calls_that_do_not_end_are_seen_while_they_go_on(frozen_clock: FrozenClock) -> None:
    calls = Calls()
    for number in range(6):
        calls.let_in(str(number), "job1")
    assert (calls.open("job1"), calls.at_once("job1"), calls.open("job2")) == (6, 0, 0)
    frozen_clock.advance(seconds=LAG_S + WINDOW_S + 1)
    assert (calls.open("job1"), calls.at_once("job1")) == (6, 6)


def test_a_wait_at_the_door_is_no_work_of_the_job(frozen_clock: FrozenClock) -> None:
    calls = Calls()
    frozen_clock.advance(seconds=5)
    calls.let_in("a", "job1")
    frozen_clock.advance(seconds=1)
    calls.heard(line("a", lasted_s=6))
    frozen_clock.advance(seconds=LAG_S + 1)
    assert calls.at_once("job1") == pytest.approx(1 / WINDOW_S)


def test_only_the_end_of_what_the_door_let_in_counts(frozen_clock: FrozenClock) -> None:
    calls = Calls()
    calls.let_in("a", "job1")
    calls.heard(line("b", lasted_s=5))
    calls.heard(line("a", lasted_s=5, kind="DownstreamTunnelSuccessfullyEstablished"))
    assert calls.open("job1") == 1
    for _ in range(2):
        calls.heard(line("a", lasted_s=0))
    assert calls.open("job1") == 0


def test_what_was_lost_with_a_killed_gateway_is_not_under_way_for_ever(frozen_clock: FrozenClock) -> None:
    began = [0.0]
    calls = Calls(lambda: began[0])
    calls.let_in("lost", "job1")
    frozen_clock.advance(seconds=10)
    began[0] = clock.now().timestamp()
    calls.let_in("new", "job1")
    frozen_clock.advance(seconds=LAG_S + WINDOW_S + 1)
    assert (calls.at_once("job1"), calls.open("job1")) == (1, 1)


def test_jobs_that_nobody_calls_any_more_are_forgotten(frozen_clock: FrozenClock) -> None:
    calls = Calls()
    for number in range(50):
        calls.let_in(str(number), f"job{number}")
        calls.heard(line(str(number), lasted_s=0))
    frozen_clock.advance(seconds=FORGOTTEN_S + 1)
    calls.let_in("last", "last")
    assert len(calls._jobs) == 1


def test_the_door_the_reader_and_the_reconciler_may_use_it_at_once() -> None:
    calls = Calls()

    def come_and_go(who: int) -> None:
        for number in range(300):
            calls.let_in(f"{who} {number}", "job1")
            calls.at_once("job1")
            calls.heard(line(f"{who} {number}", lasted_s=0.001))

    threads = [threading.Thread(target=come_and_go, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.open("job1") == 0


def test_a_call_whose_end_is_heard_before_the_door_lets_it_in_is_not_open_for_ever(
    frozen_clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client left while the door was waiting for a worker; the gateway logs the end of a request once."""
    calls = Calls()
    calls.heard(line("left", lasted_s=3))
    calls.let_in("left", "job1")
    frozen_clock.advance(seconds=LAG_S + 1)
    assert (calls.open("job1"), calls.at_once("job1")) == (0, 0)
    monkeypatch.setattr("pilothouse.gateway.calls.OVER_KEPT", 2)
    for call in ("a", "b", "c"):
        calls.heard(line(call, lasted_s=3))
    for call in ("a", "b", "c"):
        calls.let_in(call, "job1")
    assert calls.open("job1") == 1, "as many are remembered as may come in between"
