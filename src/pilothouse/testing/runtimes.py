"""The conformance suite of restorers: subclass `RestorerSuite` and give it a ``restorer`` and a ``runtime``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pilothouse.runtimes.contract import Library, Lock, RequirementRefused, ResolutionFailed, Restorer, Runtime, Wanted
from pilothouse.testing.clock import FrozenClock

REFUSED = (
    "--index-url http://u:hunter2@x/\n",
    "-r other.txt\n",
    "demo @ https://x/demo.whl\n",
    "./demo.whl\n",
    "-e .\n",
)


class RestorerSuite:
    """From requirements to a library: exact, shared, and only from the configured index.

    ``requirement`` names a package that its index has, pinned; ``dependency`` another one. It must keep what nobody needs for
    more than an hour and less than a month, by `clock.now()`.
    """

    requirement, dependency = "demo==1.0", "other==2.0"

    @pytest.fixture
    def restorer(self) -> Restorer:
        raise NotImplementedError("give the suite a restorer")

    @pytest.fixture
    def runtime(self) -> Runtime:
        raise NotImplementedError("give the suite a runtime")

    @pytest.fixture
    def wanted(self) -> Callable[[str], str]:
        """Turns lines like ``requirement`` into the text that the restorer reads; override it for another lockfile."""
        return lambda text: text

    @pytest.fixture(autouse=True)
    def _wanted(self, wanted: Callable[[str], str]) -> None:
        self.text_of = wanted

    def resolve(self, restorer: Restorer, runtime: Runtime, text: str) -> Lock:
        return restorer.resolve(Wanted(self.text_of(text)), runtime, lambda line: None)

    def test_requirements_become_exact_artifacts(self, restorer: Restorer, runtime: Runtime) -> None:
        lock = self.resolve(restorer, runtime, f"# wanted\n{self.requirement}\n")
        assert [f"{a.name}=={a.version}" for a in lock.artifacts] == [self.requirement]
        assert len(lock.artifacts[0].sha256) == 64 or len(lock.artifacts[0].sha512) == 128
        assert Lock.from_document(lock.document()) == lock

    def test_what_the_kind_needs_is_added(self, restorer: Restorer, runtime: Runtime) -> None:
        lock = restorer.resolve(Wanted(f"{self.requirement}\n", (self.dependency,)), runtime, lambda line: None)
        assert {f"{a.name}=={a.version}" for a in lock.artifacts} == {self.requirement, self.dependency}

    def test_nothing_reaches_outside_the_configured_index(self, restorer: Restorer, runtime: Runtime) -> None:
        for text in REFUSED:
            with pytest.raises(RequirementRefused) as refusal:
                self.resolve(restorer, runtime, text)
            assert "hunter2" not in str(refusal.value)

    def test_what_can_not_be_met_is_said(self, restorer: Restorer, runtime: Runtime) -> None:
        name = self.requirement.split("==")[0]
        with pytest.raises(ResolutionFailed, match=name):
            self.resolve(restorer, runtime, f"{name}>=900\n")

    def test_the_same_lock_is_the_same_library(self, restorer: Restorer, runtime: Runtime) -> None:
        lock, lines = self.resolve(restorer, runtime, self.requirement), list[str]()
        first = restorer.restore(lock, runtime, lines.append)
        assert restorer.restore(lock, runtime, lines.append) == first
        assert restorer.find(first.key) == first
        assert restorer.key(lock, runtime) == first.key

    def test_another_interpreter_or_artifact_is_another_library(self, restorer: Restorer, runtime: Runtime) -> None:
        lock = self.resolve(restorer, runtime, self.requirement)
        changed = replace(lock, artifacts=(replace(lock.artifacts[0], sha256="0" * 64, sha512="0" * 128),))
        keys = {
            restorer.key(lock, runtime),
            restorer.key(changed, runtime),
            restorer.key(lock, replace(runtime, build="other")),
        }
        assert len(keys) == 3

    def test_an_unknown_library_is_not_there(self, restorer: Restorer) -> None:
        assert restorer.find("0" * 64) is None

    def restored(self, restorer: Restorer, runtime: Runtime, text: str) -> Library:
        return restorer.restore(self.resolve(restorer, runtime, text), runtime, lambda line: None)

    def test_what_nobody_needs_goes_after_a_while_and_can_be_restored(
        self, restorer: Restorer, runtime: Runtime, frozen_clock: FrozenClock
    ) -> None:
        first, other = (self.restored(restorer, runtime, text) for text in (self.requirement, self.dependency))
        assert restorer.tidy(set()) == [], "it was restored just now"
        frozen_clock.advance(days=31)
        assert restorer.tidy({first.key, "f" * 64}) == [other.key]
        assert (restorer.find(first.key), restorer.find(other.key)) == (first, None)
        assert restorer.tidy({first.key}) == []
        assert self.restored(restorer, runtime, self.dependency) == other
        assert restorer.find(other.key) == other

    def test_the_while_begins_anew_with_each_use(
        self, restorer: Restorer, runtime: Runtime, frozen_clock: FrozenClock
    ) -> None:
        library = self.restored(restorer, runtime, self.requirement)
        for use in (lambda: self.restored(restorer, runtime, self.requirement), lambda: restorer.tidy({library.key})):
            frozen_clock.advance(days=31)
            use()
            frozen_clock.advance(minutes=30)
            assert restorer.tidy(set()) == []
        frozen_clock.advance(days=31)
        assert restorer.tidy(set()) == [library.key]

    def test_what_is_to_go_goes_at_once_and_can_be_restored(self, restorer: Restorer, runtime: Runtime) -> None:
        first, other = (self.restored(restorer, runtime, text) for text in (self.requirement, self.dependency))
        assert restorer.drop({first.key, "f" * 64}) == [first.key]
        assert (restorer.find(first.key), restorer.find(other.key)) == (None, other)
        assert restorer.drop({first.key}) == []
        assert self.restored(restorer, runtime, self.requirement) == first
