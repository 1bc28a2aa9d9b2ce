"""What the runner of an installation may do: all that its control plane asks for when nobody has broken into it, and no more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import uv

from pilothouse.app.owner import Owner
from pilothouse.content.tasks.start import STARTERS
from pilothouse.launcher.runner_plan import SOCKET, RunnerPlan
from pilothouse.runtimes import discover, discover_node
from pilothouse.settings import Loaded
from pilothouse.storage.custody import SCRIPTS

#: Interpreters here belong to the system that every job sees.
SYSTEM = (Path("/"), Path("/usr"), Path("/usr/local"))


def runner_plan(loaded: Loaded, owner: Owner) -> RunnerPlan:
    """The plan for this home, whose owner the control plane runs as."""
    home, options = loaded.home, loaded.settings.launcher
    return RunnerPlan(
        socket=home / SOCKET,
        peer=owner.uid,
        group=owner.gid,
        first_uid=options.uid_base + 1,
        jobs=home / "jobs",
        never=(options.gateway_uid, options.server_uid),
        readable=(home / "apps", home / "libraries", home / "runtimes", *_shared_folders()),
        writable=(home / "cache" / "builds",),
        exact=(*STARTERS, Path(uv.find_uv_bin()), *sorted(set(_prefixes(loaded)))),
        scripts=SCRIPTS,
        sandbox=options.sandbox,
        packet_filter=options.packet_filter,
        clients=(options.gateway_uid, owner.uid),
        readable_paths=tuple(options.readable_paths),
        log_size=options.log_size,
        log_files=options.log_files,
    )


def _shared_folders() -> Iterator[Path]:
    """Where interpreters are looked for by pattern, so that one may be added while the server runs."""
    patterns = (*discover.FOLDERS, *discover_node.FOLDERS)
    yield from (Path(pattern.partition("/*")[0]) for pattern in patterns if "*" in pattern)


def _prefixes(loaded: Loaded) -> Iterator[Path]:
    """Folders of the interpreters that content may use, known by where they are and without running any."""
    options = loaded.settings.runtimes
    for program in (*discover.candidates(options.python), *discover_node.candidates(options.node)):
        for prefix in {program.parent.parent, Path(os.path.realpath(program)).parent.parent}:
            if prefix not in SYSTEM and prefix not in (loaded.home, *loaded.home.parents):
                yield prefix
