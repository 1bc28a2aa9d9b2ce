"""What a runner may do for whom: a file that root writes and the runner reads once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pilothouse.launcher.backends.local.options import LocalOptions

FORMAT = 1
#: Jobs run as one of so many users, from ``first_uid`` on.
UIDS = 1_000_000_000


@dataclass(frozen=True)
class RunnerPlan:
    """``peer`` is the user and group that may ask, through ``socket``; ``never`` are uids that no job gets, whatever the range says.

    Jobs may see what lies below ``readable`` and, writable if it is theirs, below ``writable``, and the very files in
    ``files``. ``scripts`` are the programs that work on a publisher's files as the user who owns them, by name.
    """

    socket: Path
    peer: int
    first_uid: int
    local: LocalOptions
    never: tuple[int, ...] = ()
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    scripts: Mapping[str, Path] = field(default_factory=dict)


def write(plan: RunnerPlan, file: Path) -> None:
    """In one step. It holds no secret; its owner tells others that a runner is meant to be here."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as stream:
        os.fchmod(stream.fileno(), 0o644)
        json.dump({"format": FORMAT, **asdict(plan)}, stream, default=str, indent=1)
    draft.replace(file)


def read(file: Path) -> RunnerPlan:
    """The plan in ``file``. Raises ``OSError``, ``ValueError`` for one of another version."""
    said: dict[str, Any] = json.loads(file.read_bytes())
    if said.pop("format") != FORMAT:
        raise ValueError(f"{file} was written by another version of Pilothouse. Run `pilothouse serve` again.")
    local = said.pop("local")
    local |= {"jobs": Path(local["jobs"]), "clients": tuple(local["clients"])}
    local["readable_paths"] = tuple(map(Path, local["readable_paths"]))
    many = {name: tuple(map(Path, said.pop(name))) for name in ("readable", "writable", "files")}
    return RunnerPlan(
        socket=Path(said["socket"]),
        peer=said["peer"],
        first_uid=said["first_uid"],
        local=LocalOptions(**local),
        never=tuple(said["never"]),
        scripts={name: Path(path) for name, path in said["scripts"].items()},
        **many,
    )
