from __future__ import annotations

from typing import Any

from pilothouse.gateway.recent import REACH_S, RecentGrants


def test_each_visit_counts_once_for_a_minute(frozen_clock: Any) -> None:
    recent = RecentGrants()
    for visit in ("a", "b", "a"):
        recent.note("job1", visit)
    assert (recent.count("job1"), recent.count("job2")) == (2, 0)
    frozen_clock.advance(seconds=40)
    recent.note("job1", "a")
    frozen_clock.advance(seconds=40)
    assert recent.count("job1") == 1
    frozen_clock.advance(seconds=40)
    assert recent.count("job1") == 0


def test_a_visit_may_have_grants_for_several_jobs(frozen_clock: Any) -> None:
    recent = RecentGrants()
    recent.note("job1", "a")
    recent.note("job2", "a")
    assert (recent.count("job1"), recent.count("job2")) == (1, 1)


def test_a_job_is_used_until_its_last_grant_has_ended(frozen_clock: Any) -> None:
    recent = RecentGrants()
    frozen_clock.advance(seconds=100)
    recent.note("job1", "a")
    frozen_clock.advance(seconds=10)
    recent.note("job1", "b")
    assert recent.used_until("job1") == frozen_clock.moment.timestamp() + REACH_S


def test_after_a_restart_what_was_used_before_may_have_been_granted(frozen_clock: Any) -> None:
    recent, before = RecentGrants(), frozen_clock.moment.timestamp() - 10
    recent.remember({"job1": before})
    assert (recent.used_until("job1"), recent.used_until("job2")) == (before + REACH_S, 0)
    recent.note("job1", "a")
    assert recent.used_until("job1") == before + 10 + REACH_S
