"""How content was used: steps of time, people counted once, sockets that overlap, and what workers took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pilothouse.base.access import Principal, Role
from pilothouse.base.errors import NotFound
from pilothouse.base.ids import new_guid
from pilothouse.content import service
from pilothouse.content.models import Bundle, Content, Worker, WorkerSample
from pilothouse.content.service.usage import _most_open
from pilothouse.content.tasks.sampling import Sampler, drop_samples
from pilothouse.db import Database, Tx
from pilothouse.gateway.models import UsageEvent
from pilothouse.identity.models import User
from pilothouse.launcher.contract import Usage
from pilothouse.launcher.models import Job
from pilothouse.stages.models import Stage
from pilothouse.testing.clock import FrozenClock

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = service.Span(timedelta(days=1), HOUR)
OWNER = Principal(1, Role.PUBLISHER, "amara")


@pytest.fixture
def content_id(database: Database, frozen_clock: FrozenClock) -> int:
    frozen_clock.advance(minutes=30)
    with database.write() as tx:
        tx.add_all(User(id=n, guid=new_guid(), username=f"user{n}") for n in (1, 2, 3))
        tx.add(Stage(id=1, key="dev", title="Dev", path="/", position=0))
        tx.flush()
        content = Content(guid=new_guid(), lineage_id="l", stage_id=1, owner_id=1, name="app")
        tx.add(content)
        tx.flush()
        tx.add(Bundle(id=1, content_id=content.id, digest="d" * 64, size_bytes=1, archive_md5="", archive_sha1=""))
        return content.id


def use(database: Database, content_id: int, kind: str, at: datetime, **facts: Any) -> None:
    with database.write() as tx:
        tx.add(
            UsageEvent(
                kind=kind, stream=new_guid(), subject_kind="content", subject_id=content_id, started_at=at, **facts
            )
        )


def read(database: Database, content_id: int, verb: Any, span: service.Span = DAY) -> Any:
    with database.read() as tx:
        return verb(tx, OWNER, _content(tx, content_id), span=span)


def _content(tx: Tx, content_id: int) -> Content:
    content = tx.get(Content, content_id)
    assert content is not None
    return content


def test_steps_begin_at_whole_hours_and_the_last_holds_now(database: Database, content_id: int) -> None:
    starts = DAY.starts()
    assert len(starts) == 24 and starts[-1] == datetime(2026, 3, 2, 12, tzinfo=UTC) and starts[1] - starts[0] == HOUR


def test_a_person_counts_once_in_a_step_and_once_in_the_span(database: Database, content_id: int) -> None:
    for minutes, who in ((5, 2), (6, 2), (7, 3), (65, 2)):
        use(database, content_id, "visit", NOW - timedelta(minutes=minutes), principal_id=who, status=200)
    use(database, content_id, "visit", NOW, status=200)
    use(database, content_id, "hit", NOW, status=503)
    use(database, content_id + 1, "visit", NOW, principal_id=2)
    *_, before, last = read(database, content_id, service.usage_of)
    assert (last.visits, last.people, last.requests, last.failed) == (4, 2, 5, 1)
    assert (before.visits, before.people) == (1, 1)
    assert read(database, content_id, service.people_of) == 2
    visitors = read(database, content_id, service.visitors_of)
    assert [(one.user.id, one.visits) for one in visitors] == [(2, 3), (3, 1)]


def test_where_pseudonyms_are_kept_people_are_counted_and_not_named(database: Database, content_id: int) -> None:
    for name in ("pa", "pa", "pb"):
        use(database, content_id, "visit", NOW, pseudonym=name)
    assert read(database, content_id, service.usage_of)[-1].people == 2
    assert read(database, content_id, service.people_of) == 2
    assert read(database, content_id, service.visitors_of) == []


def test_a_socket_is_open_in_every_step_it_lasts(database: Database, content_id: int) -> None:
    use(database, content_id, "socket", NOW - 2 * HOUR, ended_at=NOW - HOUR, status=101)
    use(database, content_id, "socket", NOW - 40 * HOUR, status=101)
    assert [step.open for step in read(database, content_id, service.usage_of)][-4:] == [1, 2, 2, 1]


def test_only_what_overlaps_counts_as_open_at_once() -> None:
    def at(minutes: float) -> datetime:
        return NOW + timedelta(minutes=minutes)

    lives = [(at(0), at(10)), (at(10), at(20)), (at(15), at(70)), (at(61), None)]
    assert _most_open(lives, [at(0), at(60), at(120)], HOUR) == [2, 2, 1]
    assert _most_open([], [at(0)], HOUR) == [0]


class Meters:
    """A launcher that tells what each job used so far."""

    def __init__(self, **used: Usage) -> None:
        self.used = used

    def usage(self, job_id: str) -> Usage | None:
        if job_id not in self.used:
            raise NotFound
        return self.used[job_id]


def run(database: Database, content_id: int, key: str, state: str = "ready", slot: int = 0) -> None:
    with database.write() as tx:
        job = Job(key=key, tag="run", subject_kind="content", subject_id=content_id)
        tx.add(job)
        tx.flush()
        tx.add(Worker(content_id=content_id, bundle_id=1, job_id=job.id, state=state, slot=slot))


def test_a_running_worker_is_sampled_from_its_second_look_on(
    database: Database, content_id: int, frozen_clock: FrozenClock
) -> None:
    run(database, content_id, "a")
    run(database, content_id, "frozen", "frozen", 1)
    run(database, content_id, "gone", slot=2)
    meters = Meters(a=Usage(10.0, 100, 1), frozen=Usage(1.0, 50, 1))
    sampler = Sampler(database, meters)
    assert sampler.once() == 0
    frozen_clock.advance(seconds=60)
    meters.used["a"] = Usage(40.0, 300, 1)
    assert sampler.once() == 1
    *_, load = read(database, content_id, service.load_of)
    assert load.cores == {0: pytest.approx(0.5)} and load.memory == {0: 300}


def test_a_launcher_that_cannot_measure_is_left_alone(database: Database, content_id: int) -> None:
    run(database, content_id, "a")
    assert Sampler(database, object()).once() == 0


def test_a_step_averages_cores_and_shows_the_most_memory(database: Database, content_id: int) -> None:
    with database.write() as tx:
        for minute, cores, memory in ((1, 0.2, 100), (2, 0.4, 900), (3, 0.0, 300)):
            at = NOW - timedelta(minutes=minute)
            tx.add(WorkerSample(content_id=content_id, slot=1, at=at, cores=cores, memory=memory))
    loads = read(database, content_id, service.load_of)
    assert loads[-1].cores == {1: pytest.approx(0.2)} and loads[-1].memory == {1: 900}
    assert loads[-2].cores == {}


def test_old_samples_go(database: Database, content_id: int) -> None:
    with database.write() as tx:
        for days in (1, 40):
            at = NOW - timedelta(days=days)
            tx.add(WorkerSample(content_id=content_id, slot=0, at=at, cores=0.1, memory=1))
    assert drop_samples(database, older_than=timedelta(days=30)) == 1
