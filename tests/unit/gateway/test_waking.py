from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pilothouse.base.access import Principal, ResourceRef, Role
from pilothouse.db import DatabaseDown
from pilothouse.gateway import waking
from pilothouse.gateway.contract import Asked, Asleep, Place, Target, Worker
from pilothouse.gateway.waking import STARTS, Budget, Waking, Wanted

ALICE = Principal(3, Role.VIEWER, "alice")
ASKED = Asked(1, "/", "/content/x/")
WORKER = Worker("127.64.0.1:20000", "job1")
DOWN = DatabaseDown("The database does not answer.")


def place(number: int = 7, bundle_id: int | None = None) -> Place:
    return Place(ResourceRef("content", number), 1, "/content/x/", "", bundle_id=bundle_id)


@dataclass
class Owner:
    """Sleeps until it was woken and `takes_s` have passed; ``forgets`` so many wakes before one has an effect."""

    takes_s: float = 0.1
    forgets: int = 0
    fails: Exception | None = None
    wakes: list[Place] = field(default_factory=list)
    up_at: float = float("inf")
    looks: int = 0

    def target(self, place: Place, asked: Asked) -> Target:
        self.looks += 1
        return WORKER if time.monotonic() >= self.up_at else Asleep(self.up_at != float("inf"), 5)

    def wake(self, place: Place, principal: Principal) -> None:
        self.wakes.append(place)
        if self.fails is not None:
            raise self.fails
        if len(self.wakes) > self.forgets:
            self.up_at = min(self.up_at, time.monotonic() + self.takes_s)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"waking has no business with {name}")


def wanted(owner: Owner, at: Place | None = None, visitor: str = "a") -> Wanted:
    return Wanted(owner, at or place(), ASKED, ALICE, visitor)


async def wait(
    waking: Waking, owner: Owner, at: Place | None = None, *, patience_s: float = 3, visitor: str = "a"
) -> float:
    """How long it took."""
    began = time.monotonic()
    left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await waking.wait(wanted(owner, at, visitor), patience_s=patience_s, left=left)
    return time.monotonic() - began


def run(work: Callable[[Waking], Awaitable[Any]]) -> Any:
    async def all_of_it() -> Any:
        return await work(Waking())

    return asyncio.run(all_of_it())


def test_fifty_who_wait_wake_once_and_look_as_one() -> None:
    owner = Owner(takes_s=0.3)
    took = run(lambda waking: asyncio.gather(*(wait(waking, owner) for _ in range(50))))
    assert len(owner.wakes) == 1
    assert owner.looks < 40
    assert all(0.25 < each < 1 for each in took)


def test_drafts_of_one_content_are_woken_each_for_itself() -> None:
    active, draft = Owner(), Owner()
    run(lambda waking: asyncio.gather(wait(waking, active), wait(waking, draft, place(bundle_id=4))))
    assert (len(active.wakes), len(draft.wakes)) == (1, 1)


def test_each_waits_as_long_as_its_own_patience() -> None:
    owner = Owner(takes_s=0.4)
    short, long = run(
        lambda waking: asyncio.gather(wait(waking, owner, patience_s=0.1), wait(waking, owner, patience_s=3))
    )
    assert short < 0.3 < long
    assert len(owner.wakes) == 1


def test_nobody_looks_when_all_have_gone() -> None:
    owner = Owner(takes_s=60)

    async def all_go(waking: Waking) -> int:
        await asyncio.gather(*(wait(waking, owner, patience_s=0.05) for _ in range(3)))
        before = owner.looks
        await asyncio.sleep(0.1)
        assert owner.looks == before
        return len(asyncio.all_tasks())

    assert run(all_go) == 1


def test_a_client_that_leaves_is_not_waited_for() -> None:
    owner = Owner(takes_s=60)

    async def leave(waking: Waking) -> float:
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, left.set_result, None)
        began = time.monotonic()
        await waking.wait(wanted(owner), patience_s=30, left=left)
        return time.monotonic() - began

    assert run(leave) < 1


def test_what_did_not_stay_awake_is_woken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "WAKE_AGAIN_S", 0.1)
    owner = Owner(takes_s=0.0, forgets=2)
    assert run(lambda waking: wait(waking, owner)) < 1
    assert len(owner.wakes) == 3


def test_what_went_wrong_reaches_everyone_who_waits_and_the_next_try_is_a_new_one() -> None:
    owner = Owner(fails=DOWN)

    async def fail(waking: Waking) -> list[Any]:
        failed = await asyncio.gather(*(wait(waking, owner) for _ in range(3)), return_exceptions=True)
        owner.fails = None
        await wait(waking, owner)
        return failed

    assert run(fail) == [DOWN] * 3
    assert len(owner.wakes) == 2


def test_a_visitor_wakes_only_so_much_and_others_are_not_hindered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "SECONDS_PER_START", 3600.0)
    owners = [Owner(takes_s=60) for _ in range(STARTS + 5)]
    last = Owner(takes_s=60)

    async def greedy(waking: Waking) -> None:
        await asyncio.gather(*(wait(waking, each, place(n), patience_s=0.3) for n, each in enumerate(owners)))
        assert await wait(waking, last, place(999), patience_s=5) < 1, "a refusal does not wait"
        assert last.wakes == []
        await wait(waking, last, place(999), patience_s=0.1, visitor="b")

    run(greedy)
    assert sum(len(each.wakes) for each in owners) == STARTS
    assert len(last.wakes) == 1


def test_thawing_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "SECONDS_PER_START", 3600.0)

    async def thaw(waking: Waking) -> None:
        for _ in range(STARTS + 5):
            owner = Owner(takes_s=0.0)
            await wait(waking, owner)
            assert owner.wakes

    run(thaw)


def test_whoever_waits_for_a_start_that_goes_on_anyway_wakes_and_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "SECONDS_PER_START", 3600.0)
    owner = Owner(takes_s=60)

    async def reload(waking: Waking) -> None:
        for _ in range(STARTS + 5):
            await wait(waking, owner, patience_s=0.02)
        assert len(owner.wakes) == 1
        other = Owner(takes_s=60)
        await wait(waking, other, place(8), patience_s=0.1)
        assert len(other.wakes) == 1

    run(reload)


def test_a_budget_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "SECONDS_PER_START", 0.01)
    budget = Budget()
    assert [budget.take("a") for _ in range(STARTS)] == [True] * STARTS
    while budget.take("a"):
        pass
    time.sleep(0.02)
    assert budget.take("a")


def test_a_budget_forgets_the_visitors_of_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "VISITORS_LIMIT", 10)
    budget = Budget()
    for number in range(100):
        assert budget.take(str(number))
    assert len(budget._spent) == 10
