"""When the machine is short of memory, frozen workers make room, the longest frozen first; nobody is added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.engines import GB
from tests.factories.floor import Floor, shop_floor

from pilothouse.content.models import WorkerState
from pilothouse.content.service.scaling import Activity
from pilothouse.db import Database
from pilothouse.launcher.contract import MachineMemory

PLENTY, SHORT = MachineMemory(10 * GB, 2 * GB, 0), MachineMemory(10 * GB, GB // 2, 0)
SHORT_WITH_SWAP = replace(SHORT, swap_free=GB)


@pytest.fixture
def floor(database: Database, tmp_path: Path) -> Iterator[Floor]:
    with shop_floor(database, tmp_path, max_conns_per_process=10) as made:
        yield made


@pytest.fixture
def frozen(floor: Floor) -> list[int]:
    """Three workers of three contents, frozen one after the other."""
    found = []
    for _ in range(3):
        found.append(floor.another())
        floor.rest()
        floor.look()
    assert [floor.state_of(worker) for worker in found] == [WorkerState.FROZEN] * 3
    return found


def states(floor: Floor, workers: list[int]) -> list[str]:
    return [floor.state_of(worker) for worker in workers]


def test_while_there_is_memory_what_is_frozen_stays(floor: Floor, frozen: list[int]) -> None:
    floor.launcher.machine = PLENTY
    floor.look()
    assert states(floor, frozen) == ["frozen"] * 3 and floor.launcher.swapped == []


def test_each_goes_to_swap_before_any_is_stopped_and_one_at_a_time(floor: Floor, frozen: list[int]) -> None:
    floor.launcher.machine = SHORT_WITH_SWAP
    keys = [spec.id for spec in floor.launcher.specs]
    for number in range(1, 4):
        floor.look()
        assert floor.launcher.swapped == keys[:number]
        assert states(floor, frozen) == ["frozen"] * 3
    floor.look()
    assert states(floor, frozen) == ["draining", "frozen", "frozen"]
    floor.launcher.machine = PLENTY
    floor.look()
    assert states(floor, frozen)[1:] == ["frozen", "frozen"], "it is enough"


def test_without_swap_the_longest_frozen_is_stopped_at_once(floor: Floor, frozen: list[int]) -> None:
    floor.launcher.machine = SHORT
    floor.look()
    assert states(floor, frozen) == ["draining", "frozen", "frozen"] and floor.launcher.swapped == []


def test_the_reserve_may_be_named(floor: Floor, frozen: list[int]) -> None:
    floor.launcher.machine = PLENTY
    floor.engines = replace(floor.engines, memory_reserve=3 * GB)
    floor.__post_init__()
    floor.look()
    assert states(floor, frozen) == ["draining", "frozen", "frozen"]


def test_who_was_thawed_and_froze_again_may_be_moved_again(floor: Floor, frozen: list[int]) -> None:
    first = floor.launcher.specs[0].id
    floor.launcher.machine = SHORT_WITH_SWAP
    floor.look()
    assert floor.launcher.swapped == [first]
    floor.launcher.machine, floor.activity = PLENTY, {first: Activity(open_sockets=1)}
    floor.look()
    assert states(floor, frozen)[0] == "ready"
    floor.activity = {}
    floor.rest()
    floor.look()
    floor.launcher.machine = SHORT_WITH_SWAP
    for _ in range(3):
        floor.look()
    assert floor.launcher.swapped.count(first) == 2


def test_no_worker_is_added_to_others_while_memory_is_short(floor: Floor) -> None:
    floor.wake()
    floor.start_all()
    floor.use(9)
    floor.launcher.machine = SHORT
    floor.look()
    assert floor.states == ["ready"]
    floor.set(min_processes=2)
    floor.look()
    assert floor.states == ["ready", "starting"], "but what content always wants"
