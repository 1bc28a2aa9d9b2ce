"""npm keeps the contract, against a registry on this machine; and what only a real one can do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.registry import Registry, npm_registry

from pilothouse.runtimes.contract import (
    IndexUnreachable,
    Lock,
    RequirementRefused,
    ResolutionFailed,
    Restorer,
    Runtime,
    Wanted,
)
from pilothouse.runtimes.discover_node import discover_node
from pilothouse.runtimes.restorers.npm import NpmOptions, NpmRestorer, PackageChanged, installed_npm
from pilothouse.testing.runtimes import RestorerSuite

NODES = [node for node in discover_node() if installed_npm(node)]
pytestmark = pytest.mark.skipif(not NODES, reason="no Node.js with npm: restoring packages of Node.js is not exercised")


def quiet(line: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with npm_registry() as registry:
        for version in ("1.0.0", "1.1.0"):
            registry.add("demo", version)
        registry.add("other", "2.0.0", bin={"other": "index.js"})
        registry.add("@team/tool", "3.0.0")
        registry.add("noisy", "1.0.0", scripts={"postinstall": "touch ran"})
        yield registry


@pytest.fixture
def restorer(tmp_path: Path, registry: Registry) -> NpmRestorer:
    return NpmRestorer(NpmOptions(tmp_path / "libraries", tmp_path / "cache", registry.address))


@pytest.fixture
def runtime() -> Runtime:
    return NODES[0]


class TestNpm(RestorerSuite):
    requirement, dependency = "demo==1.0.0", "other==2.0.0"

    @pytest.fixture
    def restorer(self, restorer: NpmRestorer) -> Restorer:
        return restorer

    @pytest.fixture
    def runtime(self) -> Runtime:
        return NODES[0]

    @pytest.fixture
    def wanted(self, registry: Registry) -> Callable[[str], str]:
        return lambda text: registry.lock(*(line.replace("==", "@") for line in text.splitlines() if "==" in line))

    def refused(self, registry: Registry) -> list[str]:
        lock = registry.lock
        return [
            lock("demo@1.0.0", resolved="git+ssh://git@example.com/u:hunter2/x.git#1"),
            lock("demo@1.0.0", resolved="https://example.com/hunter2.tgz"),
            lock("demo@1.0.0", resolved="file:../demo"),
            lock("demo@1.0.0", link=True),
            lock("demo@1.0.0", dependencies={"x": "git://example.com/x"}),
            lock("demo@1.0.0", dependencies={"x": "user/repository"}),
            lock("demo@1.0.0", dependencies={"x": "../../etc"}),
            lock("demo@1.0.0", dependencies={"x": ".."}),
            lock("demo@1.0.0", dependencies={"x": "x.tgz"}),
            lock("demo@1.0.0", integrity="sha1-hunter2"),
            lock("demo@1.0.0", integrity=None),
            lock("demo@1.0.0").replace("node_modules/demo", "node_modules/../demo"),
            lock("demo@1.0.0").replace("node_modules/demo", "packages/demo"),
            '{"lockfileVersion": 1, "dependencies": {}}',
            "[]",
            "not json",
            "",
        ]

    def test_nothing_reaches_outside_the_configured_index(
        self, restorer: Restorer, runtime: Runtime, registry: Registry
    ) -> None:
        for text in self.refused(registry):
            with pytest.raises(RequirementRefused) as refusal:
                restorer.resolve(Wanted(text), runtime, quiet)
            assert "hunter2" not in str(refusal.value), text

    def test_what_the_kind_needs_is_added(self, restorer: Restorer, runtime: Runtime) -> None:
        """npm's lock is complete: nothing can be, and that is said."""
        with pytest.raises(RequirementRefused, match=r"package\.json"):
            restorer.resolve(Wanted("{}", ("other",)), runtime, quiet)

    def test_what_can_not_be_met_is_said(self, restorer: Restorer, runtime: Runtime, registry: Registry) -> None:
        """npm resolved when the lock was made, so it shows when the packages are fetched."""
        lock = restorer.resolve(Wanted(registry.lock("demo@900.0.0")), runtime, quiet)
        with pytest.raises(ResolutionFailed, match="demo"):
            restorer.restore(lock, runtime, quiet)


def restored(restorer: NpmRestorer, runtime: Runtime, text: str) -> Path:
    return restorer.restore(restorer.resolve(Wanted(text), runtime, quiet), runtime, quiet).path


def test_the_library_works_and_can_not_be_written(restorer: NpmRestorer, runtime: Runtime, registry: Registry) -> None:
    path = restored(
        restorer, runtime, registry.lock("other@2.0.0", "demo@1.1.0", "@team/tool@3.0.0", bin={"other": "index.js"})
    )
    program = "console.log(['demo', 'other', '@team/tool'].map(name => require(name)).join(', '))"
    done = subprocess.run([runtime.path, "-e", program], cwd=path, capture_output=True, text=True, check=True)
    assert done.stdout == "demo 1.1.0, other 2.0.0, @team/tool 3.0.0\n"
    assert (path / "node_modules" / "demo" / "index.js").stat().st_mode & 0o222 == 0
    assert (path / "node_modules" / ".bin" / "other").resolve() == path / "node_modules" / "other" / "index.js"


def test_no_script_of_a_package_runs_and_that_is_said(
    restorer: NpmRestorer, runtime: Runtime, registry: Registry
) -> None:
    lines: list[str] = []
    lock = restorer.resolve(Wanted(registry.lock("noisy@1.0.0", hasInstallScript=True)), runtime, lines.append)
    library = restorer.restore(lock, runtime, lines.append)
    assert not list(library.path.rglob("ran"))
    assert any("install scripts of noisy" in line for line in lines)


def test_packages_of_development_are_left_out(restorer: NpmRestorer, runtime: Runtime, registry: Registry) -> None:
    text = registry.lock("other@2.0.0", "demo@1.0.0", dev=True)
    text = text.replace(
        '"dependencies": {"other": "2.0.0", ', '"devDependencies": {"other": "2.0.0"}, "dependencies": {'
    )
    path = restored(restorer, runtime, text)
    assert sorted(p.name for p in (path / "node_modules").iterdir() if p.name[0] != ".") == ["demo"]


def test_bytes_that_are_not_the_locked_ones_are_refused(restorer: NpmRestorer, runtime: Runtime) -> None:
    with npm_registry() as forging:
        forging.add("demo", "1.0.0")
        text = forging.lock("demo@1.0.0")
        forging.add("demo", "1.0.0", {"index.js": "process.exit(1)"})
        other = NpmRestorer(replace(restorer._options, registry=forging.address, cache=restorer._options.cache / "b"))
        lock = other.resolve(Wanted(text), runtime, quiet)
        with pytest.raises(PackageChanged):
            other.restore(lock, runtime, quiet)
        assert other.find(other.key(lock, runtime)) is None


def test_a_registry_that_is_away_is_said_without_its_password(
    tmp_path: Path, runtime: Runtime, registry: Registry
) -> None:
    away = NpmRestorer(NpmOptions(tmp_path / "libraries", tmp_path / "cache", "http://u:hunter2@127.0.0.1:9/npm"))
    lock = away.resolve(Wanted(registry.lock("demo@1.0.0")), runtime, quiet)
    with pytest.raises(IndexUnreachable) as error:
        away.restore(lock, runtime, quiet)
    assert "hunter2" not in str(error.value)
    assert not [p for p in (tmp_path / "libraries").iterdir() if p.is_dir()]


@pytest.mark.parametrize(
    ("before", "header"), [("anna:pass%20word@", "Basic YW5uYTpwYXNzIHdvcmQ="), ("token1@", "Bearer token1"), ("", "")]
)
def test_the_registry_is_asked_with_its_credentials(
    tmp_path: Path, runtime: Runtime, registry: Registry, before: str, header: str
) -> None:
    address = registry.address.replace("://", f"://{before}")
    registry.asked.clear()
    with_password = NpmRestorer(NpmOptions(tmp_path / "libraries", tmp_path / "cache", address))
    restored(with_password, runtime, registry.lock("demo@1.0.0"))
    assert registry.asked and {said for _, said in registry.asked} == {header}


def test_what_was_taken_out_of_the_cache_is_fetched_again_and_nothing_else(
    tmp_path: Path, runtime: Runtime, registry: Registry
) -> None:
    options = NpmOptions(tmp_path / "libraries", tmp_path / "cache", registry.address)
    text = registry.lock("demo@1.0.0", "other@2.0.0", "@team/tool@3.0.0")
    content = tmp_path / "cache" / "npm" / "_cacache" / "content-v2"

    def fetched(build: int) -> int:
        registry.asked.clear()
        path = restored(NpmRestorer(options), replace(runtime, build=str(build)), text)
        assert {p.name for p in (path / "node_modules").iterdir() if p.name[0] != "."} == {"demo", "other", "@team"}
        return len({path for path, _ in registry.asked if path.endswith(".tgz")})

    assert (fetched(1), fetched(2)) == (3, 0)
    again = []
    for build in range(3, 9):
        shards = list(content.glob("*/*"))
        size = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
        NpmRestorer(replace(options, cache_limit_bytes=size - 1)).tidy(set())
        gone = [path for path in shards if not path.exists()]
        assert len(gone) == 1
        again.append(fetched(build))
    assert set(again) == {0, 1}, "some held what the registry says of a package, others a package"
    NpmRestorer(replace(options, cache_limit_bytes=0)).tidy(set())
    assert fetched(9) == 3


def test_a_lock_of_another_project_with_the_same_packages_is_kept_apart_by_its_layout(
    restorer: NpmRestorer, runtime: Runtime, registry: Registry
) -> None:
    one = restorer.resolve(Wanted(registry.lock("demo@1.0.0")), runtime, quiet)
    assert Lock.from_document(one.document()) == one
    nested = registry.lock("demo@1.0.0").replace("node_modules/demo", "node_modules/other/node_modules/demo")
    assert restorer.key(one, runtime) != restorer.key(restorer.resolve(Wanted(nested), runtime, quiet), runtime)
