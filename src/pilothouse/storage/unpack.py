"""The parent of the unpacker: starts it limited and without rights, turns its verdict into our errors, renames when whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.base.errors import Invalid
from pilothouse.base.ids import new_key
from pilothouse.storage.child import run_child
from pilothouse.storage.contract import StorageFull

CHILD = Path(__file__).with_name("unpack_child.py")
TIMEOUT_S = 600


class NotAnArchive(Invalid):
    """This is not a gzip-compressed tar archive. Deploy with a publishing client, or pack the folder with `tar -czf`."""

    code = "storage/not-an-archive"


class HostileArchive(Invalid):
    """The archive holds something that is not accepted."""

    code = "storage/hostile-archive"


class ArchiveTooLarge(Invalid):
    """The archive unpacks to more than the server accepts."""

    code = "storage/archive-too-large"


@dataclass(frozen=True)
class UnpackLimits:
    """Most files, and most bytes of all files together."""

    files: int = 20_000
    bytes: int = 4 * 1024**3


@dataclass(frozen=True)
class Unpacked:
    """What was made: how many members, how many bytes."""

    files: int
    bytes: int


def unpack(archive: Path, into: Path, *, limits: UnpackLimits, uid: int | None = None) -> Unpacked:
    """Unpack ``archive`` (tar.gz) to the folder ``into``, which appears only when it is whole.

    Written by a child without rights, as ``uid`` where given (needs root), and owned by it. Leftovers of an earlier try
    that was killed are removed. Raises `NotAnArchive`, `HostileArchive`, `ArchiveTooLarge`, `StorageFull`. An ``into``
    that exists already is replaced.
    """
    for folder in reversed(into.parents):
        folder.mkdir(mode=0o711, exist_ok=True)  # others may pass through, not look around
    for leftover in into.parent.glob(f".{into.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = into.with_name(f".{into.name}.{new_key(6)}")
    draft.mkdir(mode=0o755)
    try:
        if uid is not None:
            os.chown(draft, uid, uid)
        verdict = _run(archive, draft, limits, uid)
        _raise_for(verdict)
        shutil.rmtree(into, ignore_errors=True)
        draft.rename(into)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Unpacked(verdict["files"], verdict["bytes"])


def content_root(folder: Path) -> Path:
    """Where the content really begins: while a folder holds one folder and nothing else, that one (connect-wire-api §4.1)."""
    while True:
        entries = list(folder.iterdir())
        if len(entries) != 1 or entries[0].is_symlink() or not entries[0].is_dir():
            return folder
        folder = entries[0]


def _run(archive: Path, draft: Path, limits: UnpackLimits, uid: int | None) -> dict[str, Any]:
    source = os.open(archive, os.O_RDONLY)
    target = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    words = json.dumps({"files": limits.files, "bytes": limits.bytes, "uid": uid})
    try:
        done = run_child(CHILD, str(source), str(target), words, fds=[source, target], timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return {"kind": "large", "why": "it takes too long to unpack", "name": ""}
    finally:
        os.close(source)
        os.close(target)
    if done.returncode != 0 or not done.stdout.strip():
        return {"kind": "broken", "why": f"the unpacker ended with {done.returncode}", "name": ""}
    return dict(json.loads(done.stdout))


def _raise_for(verdict: dict[str, Any]) -> None:
    kind, why = verdict.get("kind"), verdict.get("why", "")
    name = verdict.get("name", "").encode("unicode_escape").decode()[:200]
    if kind == "full":
        raise StorageFull
    if kind == "large":
        raise ArchiveTooLarge(
            f"The archive was refused: {why}. Leave out data and generated files, or ask an administrator to raise the limit."
        )
    if kind == "hostile":
        member = f"“{name}”: " if name else ""
        raise HostileArchive(f"The archive was refused: {member}{why}. Remove it and pack again.")
    if kind is not None:
        raise NotAnArchive(
            f"The upload is not a readable tar.gz archive: {why}. Deploy with a publishing client, or pack with `tar -czf`."
        )
