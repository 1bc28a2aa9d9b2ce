"""The supervisor's plan: a JSON file that ``pilothouse serve`` writes and the supervisor reads, at its start and on SIGHUP."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1


class PlanUnreadable(Exception):
    """The plan file can't be used. The message says why."""


@dataclass(frozen=True)
class Program:
    """One program to keep running. ``{fd}`` in ``argv`` becomes the number of the listening socket.

    ``digest`` stands for everything its behaviour depends on: a running process with another digest is replaced.
    ``ready_socket`` and ``ready_path`` are where it answers HTTP (below 500) once it is ready. ``env`` is added to ours,
    or is all there is when ``inherits`` is false. ``grace_s``: it is killed when it has not ended so long after SIGTERM.
    ``uid`` and ``gid`` are the user and group it runs as, ``None`` = our own; ``groups`` are further ones.
    An empty ``ready_path``: it is ready when it listens.
    """

    argv: tuple[str, ...]
    digest: str
    ready_socket: str
    ready_path: str = "/__ping__"
    env: Mapping[str, str] = field(default_factory=dict)
    inherits: bool = True
    cwd: str = "/"
    umask: int = 0o022
    grace_s: float = 20.0
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What to keep running, and where. ``ports`` must be free (or ours) before anything starts.

    ``drain_s``: an Envoy that was replaced may finish its connections for so long. ``stop_jobs`` is a command that is run
    after the control plane ended, as its user, when the supervisor is asked to stop; without it jobs go on. ``runner`` starts jobs
    for a control plane that is not root. ``kept_logs`` are files that the control plane appends to but may not make.
    """

    run: str
    logs: str
    socket: str
    control_plane: Program
    envoy: Program
    ports: tuple[tuple[str, int], ...] = ()
    url: str = ""
    access_log: str = ""
    log_size: int = 10 * 1024 * 1024
    log_files: int = 4
    drain_s: float = 300.0
    stop_jobs: tuple[str, ...] = ()
    runner: Program | None = None
    kept_logs: tuple[str, ...] = ()


def write(plan: Plan, file: Path) -> None:
    """Write the plan in one step, readable by its owner only (it may hold environment variables)."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump({"format": FORMAT, **asdict(plan)}, stream, indent=1)
    draft.replace(file)


def read(file: Path) -> Plan:
    """The plan in ``file``. Raises `PlanUnreadable`."""
    try:
        document = json.loads(file.read_bytes())
        if document.pop("format") != FORMAT:
            raise PlanUnreadable(f"{file} was written by another version of Pilothouse. Run `pilothouse serve` again.")
        document["control_plane"], document["envoy"] = (_program(document[name]) for name in ("control_plane", "envoy"))
        document["runner"] = _program(document["runner"]) if document.get("runner") else None
        document["ports"] = tuple((str(host), int(port)) for host, port in document["ports"])
        for name in ("stop_jobs", "kept_logs"):
            document[name] = tuple(document.get(name, ()))
        return Plan(**document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlanUnreadable(f"{file} can't be read as a plan ({error}). Run `pilothouse serve` again.") from error


def _program(document: dict[str, Any]) -> Program:
    return Program(argv=tuple(document.pop("argv")), groups=tuple(document.pop("groups", ())), **document)
