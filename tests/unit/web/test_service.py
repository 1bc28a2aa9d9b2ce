"""The verbs of operators: whom they refuse, and how lives of jobs become a curve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pilothouse.base import clock
from pilothouse.base.access import ANONYMOUS, Principal, ResourceRef, Role
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.db import Database, Tx
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task, TaskState
from pilothouse.web import service

PUBLISHER = Principal(2, Role.PUBLISHER, "amara.okoye")
JOB_KEY = Principal(1, Role.ADMINISTRATOR, "jonas.brandt", bound_to=ResourceRef("content", 1))
OPERATOR = Principal(1, Role.ADMINISTRATOR, "jonas.brandt")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = Task(id=1, key="k", kind="content.deploy", queue="builds", args={}, state="failed")

VERBS: dict[str, Callable[[Tx, Principal], Any]] = {
    "tasks": lambda tx, a: service.tasks(tx, a),
    "task_counts": lambda tx, a: service.task_counts(tx, a, since=timedelta(days=1)),
    "get_task": lambda tx, a: service.get_task(tx, a, "k"),
    "retry_task": lambda tx, a: service.retry_task(tx, a, TASK),
    "cancel_task": lambda tx, a: service.cancel_task(tx, a, TASK),
    "held": lambda tx, a: service.held(tx, a),
    "waits_since": lambda tx, a: service.waits_since(tx, a),
    "ended_jobs": lambda tx, a: service.ended_jobs(tx, a),
    "jobs_over_time": lambda tx, a: service.jobs_over_time(tx, a, span=timedelta(days=1)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_only_administrators_look_after_the_installation(sqlite_database: Database, verb: str) -> None:
    with sqlite_database.read() as tx:
        for who in (PUBLISHER, JOB_KEY):
            with pytest.raises(Denied):
                VERBS[verb](tx, who)
        with pytest.raises(NotAuthenticated):
            VERBS[verb](tx, ANONYMOUS)


def test_a_job_counts_from_its_begin_to_its_end_and_a_failure_in_the_span_of_its_end() -> None:
    hours = timedelta(hours=1)
    lives = [(NOW - 3 * hours, None, False), (NOW - 2.5 * hours, NOW - 1.5 * hours, True)]
    found = service.moments(lives, now=NOW, span=4 * hours, points=4)
    assert [m.at for m in found] == [NOW - 3 * hours, NOW - 2 * hours, NOW - hours, NOW]
    assert [m.running for m in found] == [1, 2, 1, 1]
    assert [m.failed for m in found] == [0, 0, 1, 0]


def test_jobs_that_ran_lately_are_found_on_any_database(database: Database) -> None:
    hour = timedelta(hours=1)
    with database.write() as tx:
        at = clock.now()
        tx.add(Job(key="a", tag="build", state="ended", exit_code=1, started_at=at - 3 * hour, ended_at=at - hour))
        tx.add(Job(key="b", tag="build", state="ended", exit_code=0, started_at=at - 9 * hour, ended_at=at - 8 * hour))
        tx.add(Job(key="c", tag="build", state="running", started_at=at - 2 * hour))
    with database.read() as tx:
        found = service.jobs_over_time(tx, OPERATOR, span=4 * hour, points=8)
        assert sum(m.failed for m in found) == 1 and found[-1].running == 1 and max(m.running for m in found) == 2
        assert [(e.job.key, e.failed) for e in service.ended_jobs(tx, OPERATOR)] == [("a", True), ("b", False)]
        assert service.task_counts(tx, OPERATOR, since=hour)[TaskState.FAILED] == 0


def test_what_the_database_holds_is_counted_on_any_database(database: Database) -> None:
    with database.read() as tx:
        found = service.held(tx, OPERATOR)
        assert found.size_bytes > 10_000 and (found.users, found.content, found.bundle_bytes) == (0, 0, 0)
        assert service.waits_since(tx, OPERATOR) is None
