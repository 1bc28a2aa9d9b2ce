"""As many workers as the load asks for, never fewer than content wants, and each request to the right one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.factories.engines import ENDS, SLEEPS
from tests.factories.floor import Floor, shop_floor

from pilothouse.content.models import Content, WorkerState
from pilothouse.content.service.scaling import Activity, Chooser, Ready, wanted
from pilothouse.content.service.terms import Terms
from pilothouse.content.service.workers import START
from pilothouse.db import Database
from pilothouse.identity.models import User
from pilothouse.tasks.models import Task

READY, FROZEN, STARTING = WorkerState.READY.value, WorkerState.FROZEN.value, WorkerState.STARTING.value


@pytest.fixture
def floor(database: Database, tmp_path: Path) -> Iterator[Floor]:
    """Ten connections a worker, and another one when each has more than five; at most three."""
    with shop_floor(database, tmp_path, max_conns_per_process=10) as made:
        yield made


def terms(floor: Floor, **fields: float) -> Terms:
    floor.set(**fields)
    with floor.engines.database.read() as tx:
        content = tx.get(Content, floor.content_id)
    assert content is not None
    return floor.engines.rules.terms(content)


@pytest.mark.parametrize(
    ("load", "fields", "count"),
    [
        (0, {}, 0), (1, {}, 1), (5, {}, 1), (6, {}, 2), (10, {}, 2), (11, {}, 3), (500, {}, 3),
        (0, {"min_processes": 2}, 2), (1, {"load_factor": 0.0}, 3), (0, {"load_factor": 0.0}, 0), (10, {"load_factor": 1.0}, 1),
        (500, {"max_processes": 1}, 1),
    ],
)  # fmt: skip
def test_the_load_says_how_many_are_wanted(floor: Floor, load: int, fields: dict[str, float], count: int) -> None:
    assert wanted(terms(floor, **fields), load) == count


def test_workers_are_added_under_load_up_to_the_most_and_go_when_nobody_is_left(floor: Floor) -> None:
    floor.wake()
    assert floor.start_all() == [None]
    floor.use(6)
    floor.look()
    assert floor.states == [READY, STARTING]
    floor.look()
    assert floor.states == [READY, STARTING], "one that starts counts"
    assert floor.start_all() == [None]
    floor.use(40, 40)
    floor.look()
    assert floor.start_all() == [None]
    floor.use(50, 50, 50)
    floor.look()
    assert floor.states == [READY] * 3, "three is the most"
    floor.rest()
    floor.use(5, 0, 1)
    floor.look()
    assert [w.slot for w in floor.workers()] == [0, 2], "who has visitors stays"
    floor.use(0, 0)
    floor.look()
    assert floor.states == [FROZEN]
    assert len({w.address for w in floor.workers(WorkerState.DRAINING)}) == 2


def test_what_is_frozen_is_thawed_before_anything_is_started(floor: Floor) -> None:
    floor.wake()
    floor.start_all()
    floor.rest()
    floor.look()
    assert floor.states == [FROZEN]
    floor.set(min_processes=2)
    floor.look()
    assert floor.states == [READY, STARTING]


def test_the_fewest_are_kept_after_a_kill(floor: Floor) -> None:
    floor.set(min_processes=2)
    floor.look()
    assert floor.states == [STARTING, STARTING]
    assert floor.start_all() == [None, None]
    floor.rest()
    floor.look()
    assert floor.states == [READY, READY], "nor are they frozen"
    for worker in floor.workers():
        floor.kill(worker)
    floor.look()
    floor.look()
    assert floor.states == [STARTING, STARTING]
    assert floor.start_all() == [None, None]


@pytest.mark.parametrize("fields", [{"locked": True}, {"app_mode": "static"}, {"bundle_id": None}])
def test_what_can_not_run_is_not_kept_running(floor: Floor, fields: dict[str, object]) -> None:
    floor.set(min_processes=2, **fields)
    floor.look()
    assert floor.states == []


@pytest.mark.parametrize("script", [SLEEPS, ENDS], ids=["never listens", "listens and ends without an error"])
def test_a_crash_loop_is_tried_again_ever_more_seldom(database: Database, tmp_path: Path, script: str) -> None:
    with shop_floor(database, tmp_path, init_timeout=1) as floor:
        floor.launcher.script = script
        floor.set(min_processes=1)
        for wait_s in (5, 15, 60, 300, 300):
            floor.look()
            assert floor.states == [STARTING]
            floor.start_all()
            if floor.states == [READY]:
                floor.until(lambda: floor.job.value == "ended")
            floor.look()
            assert [w.state for w in floor.workers(WorkerState.FAILED)][-1] == WorkerState.FAILED
            floor.ended(seconds_ago=wait_s - 4)
            floor.look()
            assert floor.states == [], f"not within {wait_s} s"
            floor.ended(seconds_ago=wait_s + 1)


def test_ten_reconcilers_add_no_more_than_are_wanted(floor: Floor) -> None:
    floor.wake()
    floor.start_all()
    floor.use(50)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: floor.look(), range(10)))
    assert floor.states == [READY, STARTING, STARTING]


def test_who_waits_for_many_starts_lets_others_go_first(floor: Floor) -> None:
    with floor.engines.database.write() as tx:
        tx.add_all(User(id=n, guid=f"u{n}", username=f"user{n}") for n in (7, 8))
        for number in range(101, 105):
            tx.add(Content(id=number, guid=f"g{number}", lineage_id="", stage_id=1, owner_id=1, name=f"app{number}"))
    bundle = floor.bundle_id
    for content_id, visitor in ((101, 7), (102, 7), (103, 7), (104, 8)):
        floor.content_id, floor.bundle_id = content_id, _bundle_of(floor, content_id)
        floor.wake(visitor)
    floor.bundle_id = bundle
    with floor.engines.database.read() as tx:
        order = tx.scalars(select(Task).where(Task.kind == START).order_by(Task.priority, Task.id)).all()
    assert [(task.actor_id, task.subject_id) for task in order] == [(7, 101), (8, 104), (7, 102), (7, 103)]


def _bundle_of(floor: Floor, content_id: int) -> int:
    from pilothouse.content.models import Bundle

    with floor.engines.database.write() as tx:
        made = Bundle(content_id=content_id, digest="", size_bytes=1, archive_md5="", archive_sha1="")
        tx.add(made)
        tx.flush()
        return made.id


ONE, TWO = Ready("127.0.0.1:1", "one"), Ready("127.0.0.1:2", "two")


@pytest.fixture
def used() -> dict[str, Activity]:
    return {}


@pytest.fixture
def chooser(floor: Floor, used: dict[str, Activity]) -> Chooser:
    return Chooser(floor.engines.rules, lambda key: used.get(key, Activity()))


def test_a_new_visitor_gets_the_worker_with_the_least_load(
    floor: Floor, chooser: Chooser, used: dict[str, Activity]
) -> None:
    used |= {"one": Activity(open_sockets=1, grants=2), "two": Activity(open_sockets=2)}
    assert chooser.choose((ONE, TWO), terms(floor), hint="", is_new=True) is TWO


def test_a_visitor_stays_with_the_worker_they_had(floor: Floor, chooser: Chooser, used: dict[str, Activity]) -> None:
    used |= {"one": Activity(open_sockets=10)}
    assert chooser.choose((ONE, TWO), terms(floor), hint="one", is_new=True) is ONE
    assert chooser.choose((ONE, TWO), terms(floor), hint="gone", is_new=False) is TWO


def test_calls_are_shared_among_as_many_workers_as_their_number_asks_for(
    floor: Floor, chooser: Chooser, used: dict[str, Activity]
) -> None:
    def chosen() -> Ready | None:
        return chooser.choose((ONE, TWO), terms(floor), hint="", is_new=False)

    used |= {"one": Activity(calls=3.5, open_calls=9), "two": Activity(calls=1.4, open_calls=2)}
    assert chosen() is ONE, "one is enough for five; the other comes to rest"
    used |= {"one": Activity(calls=3.8, open_calls=9), "two": Activity(calls=1.4, open_calls=2)}
    assert chosen() is TWO
    used |= {"one": Activity(calls=6, open_calls=1), "two": Activity(open_sockets=2)}
    assert chosen() is ONE, "visitors count as well"


def test_calls_are_load_like_visits_and_sockets(floor: Floor) -> None:
    floor.wake()
    floor.start_all()
    key = floor.key
    floor.activity[key] = Activity(open_sockets=2, grants=2, calls=0.9)
    floor.look()
    assert floor.states == [READY]
    floor.activity[key] = Activity(open_sockets=2, grants=2, calls=1.1)
    floor.look()
    assert floor.states == [READY, STARTING]


def test_a_burst_of_handshakes_is_spread_before_the_log_tells_of_them(floor: Floor, chooser: Chooser) -> None:
    chosen = []
    for _ in range(20):
        one = chooser.choose((ONE, TWO), terms(floor), hint="", is_new=True)
        assert one is not None
        chooser.let_in(one.job_key, object())
        chosen.append(one.job_key)
    assert (chosen.count("one"), chosen.count("two")) == (10, 10)
    assert chooser.choose((ONE, TWO), terms(floor), hint="", is_new=True) is None, "ten connections each"
    assert chooser.choose((ONE, TWO), terms(floor), hint="", is_new=False) is not None, "sub-requests always pass"


def test_a_handshake_whose_way_is_looked_up_again_and_again_counts_once(floor: Floor, chooser: Chooser) -> None:
    asked = object()
    for key in ("one",) * 15 + ("two",):
        chooser.let_in(key, asked)
    assert chooser.choose((ONE, TWO), terms(floor), hint="", is_new=True) is ONE, "the other has it now"


def test_a_handshake_that_stands_in_the_log_counts_once(
    floor: Floor, chooser: Chooser, used: dict[str, Activity]
) -> None:
    for _ in range(6):
        chooser.let_in("one", object())
    used |= {"one": Activity(open_sockets=6, opened_lately=6), "two": Activity(open_sockets=8)}
    assert chooser.choose((ONE, TWO), terms(floor), hint="", is_new=True) is ONE
