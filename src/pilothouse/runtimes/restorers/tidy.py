"""Removing libraries and downloads that nobody needs, beside builds that may be running in any process.

Two kinds of locks: who builds or removes a library holds ``.{key}.lock`` in the libraries' folder alone; who uses the cache holds
``in-use.lock`` in it together with others, so that something is taken out only while nobody does. Whatever goes is renamed
first and removed then: nobody ever sees half of it, and a round that was killed is finished by the next one.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Protocol

import structlog

from pilothouse.base import clock
from pilothouse.base.ids import new_key
from pilothouse.runtimes.contract import Library, Lock, Log

log = structlog.get_logger(__name__)
#: A library that was just restored is not named by anybody's row yet.
GRACE = timedelta(hours=1)
DAY = timedelta(days=1)
NAME = re.compile(r"([0-9a-f]{64})|\.([0-9a-f]{64})\.[a-z0-9]+")
GONE = ".gone-"


class Kept(Protocol):
    """Where an installation's libraries and downloads are, and how much of them stays. Seconds, bytes."""

    @property
    def libraries(self) -> Path: ...
    @property
    def cache(self) -> Path: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def libraries_kept(self) -> timedelta: ...
    @property
    def cache_limit_bytes(self) -> int: ...


def everything(needed: Collection[str], kept: Kept) -> list[str]:
    """One round over the libraries, and the downloads of all installers; returns the keys of the libraries that went."""
    removed = remove_libraries(kept.libraries, needed, kept=kept.libraries_kept)
    remove_leftovers(kept.cache, older_than=DAY + 2 * timedelta(seconds=kept.timeout_s))
    shrink(kept.cache, limit_bytes=kept.cache_limit_bytes)
    return removed


@contextmanager
def held(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock on the file ``path``; yields whether we do. Whoever holds it alone may remove the file."""
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    while True:
        with path.open("a") as file:
            try:
                fcntl.flock(file, kind)
            except BlockingIOError:
                yield False
                return
            if _is_at(path, file):  # else it was removed while we waited: others lock a new one
                yield True
                return


@contextmanager
def building(libraries: Path, key: str) -> Iterator[None]:
    """One builder at a time for each library; what a killed one left behind goes."""
    with held(libraries / f".{key}.lock"):
        _remove_drafts(libraries, key)
        try:
            yield
        finally:
            _remove_drafts(libraries, key)


def using(cache: Path) -> AbstractContextManager[bool]:
    """Nothing is taken out of the cache meanwhile. May be nested."""
    return held(cache / "in-use.lock", shared=True)


def touch(library: Path) -> None:
    """Note that the library is used now: its folder's date says when it last was."""
    now = clock.now().timestamp()
    with suppress(PermissionError):  # it belongs to somebody else, and so it is not ours to remove either
        os.utime(library, (now, now))


def restored(
    libraries: Path, key: str, lock: Lock, *, find: Callable[[str], Library | None], build: Callable[[], None], log: Log
) -> Library:
    """The library that ``find`` sees, else the one that ``build`` puts in its place; one builder at a time."""
    with building(libraries, key):
        found = find(key)
        if found is not None:
            touch(found.path)
            log(f"Using the library that is there already ({len(lock.artifacts)} packages).")
            return found
        build()
    library = find(key)
    assert library is not None
    return library


def make_read_only(folder: Path) -> None:
    """Take away the right to write from everything in ``folder``; it stays writable itself, so that its owner can rename and remove it."""
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(root, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555)


def remove_libraries(libraries: Path, needed: Collection[str], *, kept: timedelta) -> list[str]:
    """Remove what is not ``needed`` and was not used for the time ``kept``, and what killed builds left; returns the keys.

    A library that is being built or removed by somebody else is left to them.
    """
    names = (NAME.fullmatch(path.name) for path in libraries.iterdir())
    removed = []
    for key in sorted({name[1] or name[2] for name in names if name}):
        try:
            if _remove_library(libraries, key, unused_for=None if key in needed else max(kept, GRACE)):
                removed.append(key)
        except OSError as error:  # what belongs to somebody else must not keep the rest from being tidied
            log.warning("a library could not be tidied", key=key, reason=str(error))
    return removed


def drop_libraries(libraries: Path, keys: Collection[str]) -> list[str]:
    """Remove these at once; one that is being built or removed by somebody else is left to them."""
    there = [key for key in sorted(keys) if NAME.fullmatch(key) and (libraries / key).exists()]
    return [key for key in there if _remove_library(libraries, key, unused_for=timedelta(0))]


def _remove_library(libraries: Path, key: str, *, unused_for: timedelta | None) -> bool:
    lock, library = libraries / f".{key}.lock", libraries / key
    with held(lock, wait=False) as is_ours:
        if not is_ours:
            return False
        is_old = unused_for is not None and _is_older(library, unused_for)
        if is_old:
            library.rename(libraries / f".{key}.{new_key(6)}")
            log.info("library removed", key=key)
        elif unused_for is None and library.exists():
            touch(library)
        _remove_drafts(libraries, key)
        if not library.exists():
            lock.unlink()
        return is_old


def remove_leftovers(cache: Path, *, older_than: timedelta) -> None:
    """Remove what killed processes left: temporary folders, halves of downloads, and what was being removed."""
    for folder in cache.glob("tmp*"):
        if _is_older(folder, older_than):
            remove(folder)
    for draft in (*cache.glob("wheels/.*"), *cache.glob("wheels/*/*/.*")):
        if _is_older(draft, max(older_than, DAY)):
            with suppress(OSError):
                draft.unlink()
    for gone in cache.glob(f"{GONE}*"):
        remove(gone)


def shrink(cache: Path, *, limit_bytes: int) -> None:
    """Take out what was not used for longest until the rest is within the limit; nothing while a build uses the cache.

    What a library shares with the cache (hard links) does not count: removing it here would free nothing.
    """
    entries = sorted(_entries(cache), key=lambda entry: entry.used_at)
    over = sum(entry.size_bytes for entry in entries) - limit_bytes
    if over <= 0:
        return
    with held(cache / "in-use.lock", wait=False) as is_ours:
        if not is_ours:
            log.info("the package cache is over its limit, and in use; it is looked at again later", over_bytes=over)
            return
        for entry in entries:
            if over > 0 and _measured(entry.path) == entry:  # else it was used since
                with suppress(OSError):
                    entry.path.rename(cache / f"{GONE}{new_key(6)}")
                    over -= entry.size_bytes
    for gone in cache.glob(f"{GONE}*"):
        remove(gone)


def remove(folder: Path) -> None:
    """Remove a folder, also one whose folders are read-only. What can't be removed is met again by the next round."""
    for root, folders, _ in os.walk(folder):
        for name in folders:
            if not Path(root, name).is_symlink():
                with suppress(OSError):
                    Path(root, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Entry:
    """What goes as a whole. ``size_bytes`` counts what only the cache holds."""

    path: Path
    size_bytes: int
    used_at: float


def _entries(cache: Path) -> Iterator[_Entry]:
    """Each wheel, each archive that uv unpacked, each 256th of npm's packages, and each other folder of uv's and npm's as a whole
    (small, and of use together).
    """
    for pattern in ("wheels/*/*", "uv/archive-*/*", "uv/.tmp*", "npm/_cacache/content-*/*/*"):
        yield from (_measured(path) for path in cache.glob(pattern))
    others = (path for pattern in ("uv/*", "npm/_cacache/*", "npm/*") for path in cache.glob(pattern) if path.is_dir())
    apart = (".", "archive-", "content-", "_cacache")
    yield from (_measured(path) for path in others if not path.name.startswith(apart))


def _measured(path: Path) -> _Entry:
    """A wheel's inode changes with each link a build makes to it; others' folders change with each file that is put into them."""
    size, used = 0, 0.0
    is_wheel = path.parent.parent.name == "wheels"
    for root, _, names in os.walk(path):
        with suppress(FileNotFoundError):
            used = max(used, Path(root).stat().st_mtime)
        for name in names:
            with suppress(FileNotFoundError):
                status = Path(root, name).lstat()
                size += status.st_size if status.st_nlink == 1 else 0
                used = max(used, status.st_ctime if is_wheel else 0.0)
    return _Entry(path, size, used)


def _remove_drafts(libraries: Path, key: str) -> None:
    for leftover in libraries.glob(f".{key}.[a-z0-9]*"):
        if leftover.is_dir():
            remove(leftover)


def _is_older(path: Path, span: timedelta) -> bool:
    """Whether it is there and was not changed for that long."""
    try:
        return path.stat().st_mtime < (clock.now() - span).timestamp()
    except FileNotFoundError:
        return False


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
