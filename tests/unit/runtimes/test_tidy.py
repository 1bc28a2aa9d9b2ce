"""Real folders, and real locks that other processes hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from pilothouse.base import clock
from pilothouse.runtimes.restorers import tidy

A, B, C = "a" * 64, "b" * 64, "c" * 64
WEEK = timedelta(days=7)
HOLD = """
import sys
from pathlib import Path
from pilothouse.runtimes.restorers.tidy import held
with held(Path(sys.argv[1]), shared=sys.argv[2] == "shared") as is_ours:
    print("held" if is_ours else "busy", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(file: Path, how: str = "alone") -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock."""
    command = [sys.executable, "-c", HOLD, str(file), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    folder = tmp_path / "libraries"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    for name in ("wheels", "uv"):
        (folder / name).mkdir(parents=True)
    return folder


def library(libraries: Path, key: str, *, days: float = 0, name: str = "") -> Path:
    """A library as a build leaves it: folders and files read-only, last used so long ago."""
    folder = libraries / (name or key)
    inner = folder / "lib" / "python3" / "site-packages"
    inner.mkdir(parents=True)
    (inner / "demo.py").write_text("WORD = 1")
    (folder / "lib64").symlink_to("lib")
    for path in (inner / "demo.py", inner, inner.parent, folder / "lib"):
        path.chmod(path.stat().st_mode & 0o555)
    age(folder, days=days)
    return folder


def age(path: Path, *, days: float) -> None:
    moment = (clock.now() - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_nobody_needs_goes_after_a_while(libraries: Path) -> None:
    for key, days in ((A, 30.0), (B, 30.0), (C, 6.0)):
        library(libraries, key, days=days)
    assert tidy.remove_libraries(libraries, {A}, kept=WEEK) == [B]
    assert names(libraries) - {f".{A}.lock", f".{C}.lock"} == {A, C}


def test_the_while_begins_when_it_is_needed_no_more(libraries: Path) -> None:
    folder = library(libraries, A, days=30)
    assert tidy.remove_libraries(libraries, {A}, kept=WEEK) == []
    assert tidy.remove_libraries(libraries, set(), kept=WEEK) == []
    age(folder, days=8)
    assert tidy.remove_libraries(libraries, set(), kept=WEEK) == [A]


def test_what_was_restored_just_now_stays_even_if_nothing_is_to_be_kept(libraries: Path) -> None:
    library(libraries, A)
    library(libraries, B, days=1)
    assert tidy.remove_libraries(libraries, set(), kept=timedelta(0)) == [B]


def test_a_library_that_somebody_builds_is_left_to_them(libraries: Path) -> None:
    library(libraries, A, days=30)
    library(libraries, A, days=30, name=f".{A}.draft1")
    library(libraries, B, days=30)
    with held_elsewhere(libraries / f".{A}.lock"):
        assert tidy.remove_libraries(libraries, set(), kept=WEEK) == [B]
        assert names(libraries) == {A, f".{A}.draft1", f".{A}.lock"}
    assert tidy.remove_libraries(libraries, set(), kept=WEEK) == [A], "its holder was killed"
    assert names(libraries) == set()


def test_what_a_killed_build_left_goes_and_other_names_are_not_ours(libraries: Path) -> None:
    library(libraries, A, name=f".{A}.draft1")
    library(libraries, B)
    library(libraries, B, name=f".{B}.draft2")
    (libraries / f".{C}.lock").touch()
    for other in ("readme", ".snapshot", "a" * 63):
        (libraries / other).mkdir()
        age(libraries / other, days=300)
    tidy.remove_libraries(libraries, {B}, kept=WEEK)
    assert names(libraries) - {f".{B}.lock"} == {B, "readme", ".snapshot", "a" * 63}


TIDY = """
import os, sys
from datetime import timedelta
from pathlib import Path
from pilothouse.runtimes.restorers import tidy
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    for path in (folder.parent, folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    os.setgid(65534)
    os.setuid(65534)
print(tidy.remove_libraries(folder, set(), kept=timedelta(days=7)))
"""


def test_read_only_folders_go_also_for_a_server_that_is_not_root(tmp_path: Path, libraries: Path) -> None:
    library(libraries, A, days=30)
    for outer in tmp_path.parents[:-1]:
        if outer.stat().st_uid == os.geteuid() and "pytest" in str(outer):
            outer.chmod(outer.stat().st_mode | 0o011)
    done = subprocess.run([sys.executable, "-c", TIDY, str(libraries)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str([A])
    assert names(libraries) == set()


def test_a_lock_whose_file_was_removed_keeps_nobody_out_twice(libraries: Path) -> None:
    """Somebody waits for the lock, its holder removes the file: they must end up with the file that others see."""
    file = libraries / f".{A}.lock"
    with held_elsewhere(file) as holder:
        command = [sys.executable, "-c", HOLD, str(file), "alone"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
            try:
                _wait_until_it_waits(waiting.pid)
                file.unlink()
                holder.kill()
                assert waiting.stdout is not None
                assert waiting.stdout.readline() == "held\n"
                with tidy.held(file, wait=False) as is_ours:
                    assert not is_ours
            finally:
                waiting.kill()


def _wait_until_it_waits(pid: int) -> None:
    """Until the kernel lists the process as waiting for a lock."""
    while not any(
        line.split()[1] == "->" and line.split()[5] == str(pid) for line in Path("/proc/locks").read_text().splitlines()
    ):
        os.sched_yield()


def test_temporary_folders_and_halves_of_downloads_go_when_nobody_can_be_using_them(cache: Path) -> None:
    wheel = cache / "wheels" / "aa" / A
    wheel.mkdir(parents=True)
    for name in ("tmpold", "tmpnew", ".gone-x", "built"):
        (cache / name).mkdir()
    for name in (".old", ".new", "demo.whl"):
        (wheel / name).write_text("x")
    (cache / "wheels" / ".old").write_text("x")
    for path in (cache / "tmpold", cache / "wheels" / ".old", cache / "built", wheel / ".old", wheel / "demo.whl"):
        age(path, days=3)
    tidy.remove_leftovers(cache, older_than=timedelta(days=2))
    assert names(cache) == {"wheels", "uv", "tmpnew", "built"}
    assert names(wheel) == {".new", "demo.whl"}
    assert names(cache / "wheels") == {"aa"}


def wheel(cache: Path, digest: str, size: int = 1000) -> Path:
    folder = cache / "wheels" / digest[:2] / digest
    folder.mkdir(parents=True)
    (folder / "demo.whl").write_bytes(b"x" * size)
    return folder


def archive(cache: Path, name: str, *, days: float, size: int = 1000) -> Path:
    folder = cache / "uv" / "archive-v0" / name
    folder.mkdir(parents=True)
    (folder / "demo.py").write_bytes(b"x" * size)
    age(folder, days=days)
    return folder


def install(folder: Path, place: Path) -> None:
    """Use a wheel as a build does, by a link; until the clock of the file system has moved on."""
    before = (folder / "demo.whl").stat().st_ctime_ns
    while (folder / "demo.whl").stat().st_ctime_ns == before:
        (place / "link").unlink(missing_ok=True)
        os.link(folder / "demo.whl", place / "link")
    (place / "link").unlink()


def test_what_was_not_used_for_longest_goes_first(cache: Path, tmp_path: Path) -> None:
    first, second = wheel(cache, A), wheel(cache, B)
    install(second, tmp_path)
    install(first, tmp_path)
    old, middle = archive(cache, "old", days=9), archive(cache, "middle", days=8)
    tidy.shrink(cache, limit_bytes=4000)
    assert all(folder.exists() for folder in (first, second, old, middle)), "it is within the limit"
    tidy.shrink(cache, limit_bytes=2500)
    assert [folder.exists() for folder in (old, middle, second, first)] == [False, False, True, True]
    tidy.shrink(cache, limit_bytes=1000)
    assert [second.exists(), first.exists()] == [False, True]
    assert not list(cache.glob(".gone-*"))


def test_what_a_library_shares_does_not_count(cache: Path, tmp_path: Path) -> None:
    shared = archive(cache, "shared", days=9)
    os.link(shared / "demo.py", tmp_path / "demo.py")
    wheel(cache, A)
    tidy.shrink(cache, limit_bytes=1000)
    assert shared.exists()


def test_other_folders_of_uv_go_as_a_whole(cache: Path) -> None:
    folder = cache / "uv" / "simple-v28" / "index"
    folder.mkdir(parents=True)
    (folder / "demo.rkyv").write_bytes(b"x" * 1000)
    (cache / "uv" / ".lock").touch()
    tidy.shrink(cache, limit_bytes=0)
    assert names(cache / "uv") == {".lock"}


def test_what_npm_downloaded_counts_as_well_and_goes_bit_by_bit(cache: Path) -> None:
    def content(shard: str, *, days: float) -> Path:
        folder = cache / "npm" / "_cacache" / "content-v2" / "sha512" / shard
        (folder / "cd").mkdir(parents=True)
        (folder / "cd" / "ef").write_bytes(b"x" * 1000)
        for path in (folder / "cd", folder):
            age(path, days=days)
        return folder

    old, new = content("0a", days=9), content("0b", days=1)
    index = cache / "npm" / "_cacache" / "index-v5"
    (index / "aa").mkdir(parents=True)
    unpacked = archive(cache, "middle", days=5)
    tidy.shrink(cache, limit_bytes=2500)
    assert [path.exists() for path in (old, unpacked, new, index)] == [False, True, True, True]
    tidy.shrink(cache, limit_bytes=0)
    assert [path.exists() for path in (unpacked, new)] == [False, False]


def test_nothing_is_taken_out_while_a_build_uses_the_cache(cache: Path) -> None:
    found = wheel(cache, A)
    with held_elsewhere(cache / "in-use.lock", "shared"):
        with tidy.using(cache):
            pass  # other builds do
        tidy.shrink(cache, limit_bytes=0)
        assert found.exists()
    tidy.shrink(cache, limit_bytes=0)
    assert not found.exists()
