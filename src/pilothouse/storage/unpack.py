"""The parent of the unpacker: starts it limited and without rights, turns its verdict into our errors, renames when whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.base.errors import Invalid
from pilothouse.base.ids import new_key
from pilothouse.storage import custody
from pilothouse.storage.contract import StorageFull

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


def unpack(
    archive: Path,
    into: Path,
    *,
    limits: UnpackLimits,
    uid: int | None = None,
    custodian: custody.Custodian = custody.OWN,
) -> Unpacked:
    """Unpack ``archive`` (tar.gz) to the folder ``into``, which appears only when it is whole.

    Written by a child without rights, as ``uid`` where given (``custodian`` sees to it), and owned by it. Leftovers of an earlier try
    that was killed are removed. Raises `NotAnArchive`, `HostileArchive`, `ArchiveTooLarge`, `StorageFull`. An ``into``
    that exists already is replaced.
    """
    for folder in reversed(into.parents):
        folder.mkdir(mode=0o711, exist_ok=True)  # others may pass through, not look around
    for leftover in into.parent.glob(f".{into.name}.*"):
        custody.remove(leftover, uid, custodian)
    draft = into.with_name(f".{into.name}.{new_key(6)}")
    draft.mkdir(mode=0o755)
    try:
        custody.give(draft, uid, custodian, mode=custody.OPEN)
        verdict = _run(archive, draft, limits, uid, custodian)
        _raise_for(verdict)
        custody.remove(into, uid, custodian)
        draft.rename(into)
    except BaseException:
        custody.remove(draft, uid, custodian)
        raise
    return Unpacked(verdict["files"], verdict["bytes"])


def content_root(folder: Path) -> Path:
    """Where the content really begins: while a folder holds one folder and nothing else, that one (connect-wire-api §4.1)."""
    while True:
        entries = list(folder.iterdir())
        if len(entries) != 1 or entries[0].is_symlink() or not entries[0].is_dir():
            return folder
        folder = entries[0]


def _run(
    archive: Path, draft: Path, limits: UnpackLimits, uid: int | None, custodian: custody.Custodian
) -> dict[str, Any]:
    source = os.open(archive, os.O_RDONLY)
    target = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    words = ["{0}", "{1}", json.dumps({"files": limits.files, "bytes": limits.bytes})]
    whose = os.geteuid() if uid is None else uid
    try:
        done = custodian.run(custody.UNPACK, words, files=[source, target], uid=whose, timeout_s=TIMEOUT_S)
    finally:
        os.close(source)
        os.close(target)
    if done is None:
        return {"kind": "large", "why": "it takes too long to unpack", "name": ""}
    code, said = done
    if code != 0 or not said.strip():
        return {"kind": "broken", "why": f"the unpacker ended with {code}", "name": ""}
    return dict(json.loads(said))


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
