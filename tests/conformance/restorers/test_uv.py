"""uv keeps the contract, against an index of two wheels on this machine; and what only a real one can do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.index import add_wheel, serving

from pilothouse.runtimes.contract import IndexUnreachable, Lock, Restorer, Runtime, Wanted
from pilothouse.runtimes.discover import discover
from pilothouse.runtimes.restorers.uv import UvOptions, UvRestorer
from pilothouse.runtimes.restorers.wheels import HashMismatch
from pilothouse.testing.runtimes import RestorerSuite


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("index")
    for name, version in (("demo", "1.0"), ("demo", "1.1"), ("other", "2.0")):
        add_wheel(folder, name, version)
    with serving(folder) as (address, _):
        yield address


@pytest.fixture
def restorer(tmp_path: Path, index: str) -> UvRestorer:
    return UvRestorer(UvOptions(tmp_path / "libraries", tmp_path / "cache", index))


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return discover()[0]


class TestUv(RestorerSuite):
    @pytest.fixture
    def restorer(self, tmp_path: Path, index: str) -> Restorer:
        return UvRestorer(UvOptions(tmp_path / "libraries", tmp_path / "cache", index))

    @pytest.fixture
    def runtime(self) -> Runtime:
        return discover()[0]


def quiet(line: str) -> None:
    """Progress that nobody reads."""


def test_the_library_works_and_can_not_be_written(restorer: UvRestorer, runtime: Runtime) -> None:
    library = restorer.restore(restorer.resolve(Wanted("demo\n"), runtime, quiet), runtime, quiet)
    done = subprocess.run(
        [library.interpreter, "-c", "import demo; print(demo.WORD)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "demo 1.1\n"
    module = next(library.path.rglob("demo.py"))
    assert module.stat().st_mode & 0o222 == 0
    assert list(library.path.rglob("__pycache__/demo.*.pyc")), "bytecode is made when the library is"


def test_hashes_in_the_bundle_decide(restorer: UvRestorer, runtime: Runtime) -> None:
    from pilothouse.runtimes.contract import ResolutionFailed

    good = restorer.resolve(Wanted("demo==1.0\n"), runtime, quiet).artifacts[0].sha256
    assert restorer.resolve(Wanted(f"demo==1.0 --hash=sha256:{good}\n"), runtime, quiet).artifacts[0].sha256 == good
    with pytest.raises(ResolutionFailed):
        restorer.resolve(Wanted(f"demo==1.0 --hash=sha256:{'0' * 64}\n"), runtime, quiet)


def test_a_file_that_is_not_the_locked_one_is_refused(restorer: UvRestorer, runtime: Runtime) -> None:
    lock = restorer.resolve(Wanted("demo==1.0\n"), runtime, quiet)
    forged = Lock(tuple(type(a)(a.name, a.version, a.filename, "1" * 64, a.url) for a in lock.artifacts))
    with pytest.raises(HashMismatch):
        restorer.restore(forged, runtime, quiet)
    assert restorer.find(restorer.key(forged, runtime)) is None


def test_an_index_that_is_away_is_said(tmp_path: Path, runtime: Runtime) -> None:
    away = UvRestorer(UvOptions(tmp_path / "libraries", tmp_path / "cache", "http://u:hunter2@127.0.0.1:9/simple"))
    with pytest.raises(IndexUnreachable) as error:
        away.resolve(Wanted("demo\n"), runtime, quiet)
    assert "hunter2" not in str(error.value)


def test_a_builder_that_was_killed_leaves_no_litter(
    restorer: UvRestorer, runtime: Runtime, tmp_path: Path, index: str
) -> None:
    code = (
        "import sys; from pathlib import Path; from pilothouse.runtimes.restorers.uv import *; from pilothouse.runtimes.contract import *\n"
        "from pilothouse.runtimes.discover import discover\n"
        "r = UvRestorer(UvOptions(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])); run = discover()[0]\n"
        "r.restore(r.resolve(Wanted('demo\\nother\\n'), run, print), run, lambda t: print(t, flush=True))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "libraries"), str(tmp_path / "cache"), index]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as builder:
        assert builder.stdout is not None
        for line in builder.stdout:
            if line.startswith("Installing"):
                time.sleep(0.05)
                os.killpg(builder.pid, signal.SIGKILL)
                break
    lock = restorer.resolve(Wanted("demo\nother\n"), runtime, quiet)
    library = restorer.restore(lock, runtime, quiet)
    assert restorer.find(library.key) == library
    folders = [p.name for p in (tmp_path / "libraries").iterdir() if p.is_dir()]
    assert folders == [library.key]


def test_two_builders_at_once_make_one_library(restorer: UvRestorer, runtime: Runtime, tmp_path: Path) -> None:
    lock = restorer.resolve(Wanted("demo\n"), runtime, quiet)
    found = []
    threads = [threading.Thread(target=lambda: found.append(restorer.restore(lock, runtime, quiet))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_what_was_taken_out_of_the_cache_is_fetched_again(tmp_path: Path, index: str, runtime: Runtime) -> None:
    """Emptied again and again while libraries are built: none fails, and none lacks anything."""
    options = UvOptions(tmp_path / "libraries", tmp_path / "cache", index, cache_limit_bytes=0)
    builder, cleaner, is_over = UvRestorer(options), UvRestorer(options), threading.Event()

    def clean() -> None:
        while not is_over.wait(0.02):
            cleaner.tidy(set())

    def wheels() -> list[Path]:
        return list((tmp_path / "cache" / "wheels").glob("*/*"))

    thread = threading.Thread(target=clean)
    thread.start()
    try:
        lock = builder.resolve(Wanted("demo\nother\n"), runtime, quiet)
        for number in range(4):
            library = builder.restore(lock, replace(runtime, build=str(number)), quiet)
            assert {path.name for path in library.path.rglob("*.py") if path.stem in ("demo", "other")} == {
                "demo.py",
                "other.py",
            }
            while wheels():
                time.sleep(0.01)
    finally:
        is_over.set()
        thread.join()
