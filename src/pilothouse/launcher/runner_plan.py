"""What the runner may do for whom: a file that root writes and the runner reads once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

FORMAT = 1
#: Jobs run as one of so many users, from ``first_uid`` on.
UIDS = 1_000_000_000
#: The module to run, with the plan's file.
MODULE = "pilothouse.launcher.backends.runner"
SOCKET = Path("run") / "runner.sock"


@dataclass(frozen=True)
class RunnerPlan:
    """``peer`` is the user, with its ``group``, that may ask through ``socket``; ``never`` are uids that no job gets.

    Jobs may see what lies below ``readable`` and, writable if it is theirs, below ``writable``, and exactly what ``exact``
    names. ``scripts`` are the programs that work on a publisher's files as the user who owns them, by name. The other fields
    are the local launcher's.
    """

    socket: Path
    peer: int
    group: int
    first_uid: int
    jobs: Path
    never: tuple[int, ...] = ()
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    exact: tuple[Path, ...] = ()
    scripts: Mapping[str, Path] = field(default_factory=dict)
    sandbox: Literal["required", "preferred", "off"] = "preferred"
    packet_filter: Literal["required", "preferred", "off"] = "off"
    clients: tuple[int, ...] = ()
    readable_paths: tuple[Path, ...] = ()
    log_size: int = 10 * 1024 * 1024
    log_files: int = 4


PATHS = ("readable", "writable", "exact", "readable_paths")


def write(plan: RunnerPlan, file: Path) -> None:
    """In one step. It holds no secret."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump({"format": FORMAT, **asdict(plan)}, stream, default=str, indent=1)
    draft.replace(file)


def read(file: Path) -> RunnerPlan:
    """The plan in ``file``. Raises ``OSError``, and ``ValueError`` or ``TypeError`` for one of another version."""
    said: dict[str, Any] = json.loads(file.read_bytes())
    if said.pop("format", None) != FORMAT:
        raise ValueError(f"{file} was written by another version of Pilothouse. Run `pilothouse serve` again.")
    said |= {name: tuple(map(Path, said[name])) for name in PATHS} | {n: Path(said[n]) for n in ("socket", "jobs")}
    said |= {name: tuple(said[name]) for name in ("never", "clients")}
    said["scripts"] = {name: Path(path) for name, path in said["scripts"].items()}
    return RunnerPlan(**said)
