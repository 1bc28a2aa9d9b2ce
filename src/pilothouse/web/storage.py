"""What the installation takes on disk: folders, the largest apps and libraries, the database, and the space that is left.

Folders are measured in the background, at most every ten minutes and never while somebody waits.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.formats import size
from pilothouse.asgi.rendering import page, to
from pilothouse.base import clock
from pilothouse.base.access import Permission, require
from pilothouse.content.models import Content, Lock
from pilothouse.db import Tx
from pilothouse.runtimes.matching import TITLES
from pilothouse.web import service
from pilothouse.web.views import DiskLine, FolderLine, LargeLine, StorageView

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/_/admin/storage")
FRESH = timedelta(minutes=10)
LARGEST_SHOWN = 8
LOW_BYTES, LOW_SHARE = 2 * 1024**3, 0.05
BREATH = 500
#: Folders of the home, and how deep the things in them lie that are measured one by one.
FOLDERS: Mapping[str, tuple[str, int]] = {
    "blobs": ("Uploaded bundles", 0),
    "apps": ("Unpacked bundles", 2),
    "libraries": ("Restored packages, shared by all that need them", 1),
    "cache": ("Downloads and builds; may be removed at any time", 0),
    "jobs": ("What jobs printed", 0),
    "logs": ("The gateway's and the server's logs", 0),
    "db": ("The database and its copies", 0),
}


def is_low(free: int, total: int) -> bool:
    """Whether so little space is left that somebody should act."""
    return free < LOW_BYTES or free < LOW_SHARE * total


@dataclass
class Measure:
    """One folder: bytes on disk, files, and the sizes of what lies ``depth`` below it."""

    size_bytes: int = 0
    files: int = 0
    parts: dict[str, int] = field(default_factory=dict)


def measure(root: Path, depth: int, breath: Callable[[], None] = lambda: None) -> Measure:
    """Add up ``root`` without following links; a file with several names counts once. ``breath`` is called every few hundred files."""
    found, seen = Measure(), set[tuple[int, int]]()
    for entry in _walk(root):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if status.st_nlink > 1 and (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        taken = status.st_blocks * 512
        found.size_bytes, found.files = found.size_bytes + taken, found.files + 1
        if depth:
            part = "/".join(Path(entry.path).relative_to(root).parts[:depth])
            found.parts[part] = found.parts.get(part, 0) + taken
        if found.files % BREATH == 0:
            breath()
    return found


def _walk(root: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [os.fspath(root)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry
        except OSError:
            continue


class Meter:
    """Measures the folders below a home, one thread at a time. ``latest`` is what was found last and when."""

    def __init__(self, home: Path) -> None:
        self._home, self._lock = home, threading.Lock()
        self._is_busy = False
        self.latest: tuple[datetime, Mapping[str, Measure]] | None = None

    @property
    def is_busy(self) -> bool:
        return self._is_busy

    def wish(self, *, fresh: timedelta = FRESH) -> None:
        """Begin to measure if what is known is older than ``fresh``; return at once."""
        with self._lock:
            if self._is_busy or (self.latest is not None and clock.now() - self.latest[0] < fresh):
                return
            self._is_busy = True
        threading.Thread(target=self._run, name="storage-meter", daemon=True).start()

    def _run(self) -> None:
        try:
            found = {
                name: measure(self._home / name, depth, lambda: time.sleep(0.002))
                for name, (_, depth) in FOLDERS.items()
            }
            self.latest = (clock.now(), found)
        except Exception as error:
            log.error("the folders could not be measured", exc_info=error)
        finally:
            self._is_busy = False


_meters: dict[Path, Meter] = {}


def meter(home: Path) -> Meter:
    """The meter of an installation, kept for the life of the process."""
    return _meters.setdefault(home, Meter(home))


@router.get("")
def show(request: Request, caller: SignedIn, db: Db) -> Response:
    require(caller, Permission.SETTINGS_READ)
    home = request.app.state.loaded.home
    gauge = meter(home)
    gauge.wish()
    measured_at, found = gauge.latest or (None, {})
    with db.read() as tx:
        held = service.held(tx, caller)
        view = StorageView(
            disks=_disks(home),
            folders=_folders(home, found),
            apps=_apps(request, tx, found.get("apps", Measure())),
            libraries=_libraries(tx, found.get("libraries", Measure())),
            database=[
                ("Size", size(held.size_bytes)),
                ("Bundles", f"{held.bundles:,}, together {size(held.bundle_bytes)}"),
                ("Audit events", f"{held.events:,}"),
            ],
            measured_at=measured_at,
            busy=gauge.is_busy,
        )
    return page(request, "web/storage.html", view=view)


@router.post("/measure")
def measure_again(request: Request, caller: SignedIn) -> Response:
    require(caller, Permission.SETTINGS_READ)
    meter(request.app.state.loaded.home).wish(fresh=timedelta(0))
    return to(request, "/_/admin/storage")


def _disks(home: Path) -> list[DiskLine]:
    """One line for each file system that holds something of ours."""
    devices: dict[int, list[Path]] = {}
    for path in (home, *(home / name for name in FOLDERS)):
        if path.exists():
            devices.setdefault(path.stat().st_dev, []).append(path)
    lines = []
    for paths in devices.values():
        usage = shutil.disk_usage(paths[0])
        holds = str(home) if paths[0] == home else ", ".join(p.name for p in paths)
        used = 1 - usage.free / usage.total if usage.total else 0.0
        lines.append(DiskLine(holds, size(usage.free), size(usage.total), used, is_low(usage.free, usage.total)))
    return lines


def _folders(home: Path, found: Mapping[str, Measure]) -> list[FolderLine]:
    whole = sum(m.size_bytes for m in found.values()) or 1
    return [
        FolderLine(
            name,
            words,
            str(home / name),
            size(found[name].size_bytes),
            f"{found[name].files:,}",
            found[name].size_bytes / whole,
        )
        for name, (words, _) in FOLDERS.items()
        if name in found
    ]


def _largest(found: Measure) -> Sequence[tuple[str, int]]:
    return sorted(found.parts.items(), key=lambda part: -part[1])[:LARGEST_SHOWN]


def _apps(request: Request, tx: Tx, found: Measure) -> list[LargeLine]:
    largest = _largest(found)
    guids = [part.partition("/")[2] for part, _ in largest]
    rows = {row.guid: row for row in tx.scalars(select(Content).where(Content.guid.in_(guids)))}
    lines = []
    for part, taken in largest:
        stage_key, _, guid = part.partition("/")
        row = rows.get(guid)
        stage = request.app.state.stages.by_id(row.stage_id) if row is not None else None
        href = (
            f"{stage.path}_/content/{guid}/versions"
            if stage is not None and row is not None and row.deleted_at is None
            else ""
        )
        title = (row.title or row.name) if row is not None else part
        lines.append(LargeLine(title, stage.title if stage is not None else stage_key, href, size(taken)))
    return lines


def _libraries(tx: Tx, found: Measure) -> list[LargeLine]:
    largest = _largest(found)
    keys = [part for part, _ in largest]
    locks = {row.library_key: row for row in tx.scalars(select(Lock).where(Lock.library_key.in_(keys)))}
    return [
        LargeLine(
            f"{part[:12]}…",
            f"{TITLES[locks[part].language]} {locks[part].runtime_version}" if part in locks else "needed by no lock",
            "",
            size(taken),
        )
        for part, taken in largest
    ]
