"""What the runner refuses, whoever asks: it must hold even when the control plane is in the hands of an attacker.

A job never runs as root, as the server or as the gateway; it sees what publishers' jobs are for, and nothing else of the home; no
mount of it stands in the place of a part of the system, which the sandbox's own programs would run before rights are dropped.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath

from pilothouse.launcher.backends.local.probe import is_open
from pilothouse.launcher.contract import JobRefused, JobSpec, Mount
from pilothouse.launcher.runner_plan import UIDS, RunnerPlan

#: Where jobs see what is mounted under another name than its own.
TARGETS = ("/app", "/build", "/node_modules")
OURS = re.compile(r"/pilothouse/[a-z0-9_.-]+")
LONGEST_GRACE_S = 3600.0


def check(spec: JobSpec, plan: RunnerPlan) -> None:
    """Raise `JobRefused` for a spec that this runner must not run."""
    check_uid(spec.uid, plan)
    if spec.gid not in (None, spec.uid):
        raise JobRefused("A job's group must be that of its user.")
    if not spec.cwd.startswith("/"):
        raise JobRefused("The job's working folder must be an absolute path.")
    if not 0 <= spec.grace.total_seconds() <= LONGEST_GRACE_S:
        raise JobRefused("A job's grace must be between none and an hour.")
    targets = [PurePosixPath(mount.target) for mount in spec.mounts]
    for number, target in enumerate(targets):
        if any(target == other or other in target.parents for other in (*targets[:number], *targets[number + 1 :])):
            raise JobRefused(f"The mount at {target} lies within another one.")
    for mount in spec.mounts:
        _check_mount(mount, spec.uid, plan)


def check_uid(uid: int | None, plan: RunnerPlan) -> int:
    """The uid, if work for content may run as it. Raises `JobRefused`."""
    if (
        uid is None
        or not plan.first_uid <= uid < plan.first_uid + UIDS
        or uid in (0, os.geteuid(), plan.peer, *plan.never)
    ):
        raise JobRefused(f"Nothing runs here as user {uid}: each content has a user of its own, from {plan.first_uid} on.")  # fmt: skip
    return uid


def _check_mount(mount: Mount, uid: int | None, plan: RunnerPlan) -> None:
    source = PurePosixPath(mount.source)
    if str(source) != mount.source or ".." in source.parts or not source.is_absolute():
        raise JobRefused(f"{mount.source} is not written as a plain absolute path.")
    if not (mount.target == mount.source or mount.target in TARGETS or OURS.fullmatch(mount.target)):
        raise JobRefused(f"Nothing may be mounted at {mount.target}.")
    if mount.writable or Path(source) not in plan.exact:
        _check_below(mount, source, uid, plan)
    if not is_open(Path(source)):
        raise JobRefused(f"The job's user can't reach {mount.source}: a folder above it is closed to others.")


def _check_below(mount: Mount, source: PurePosixPath, uid: int | None, plan: RunnerPlan) -> None:
    folders = plan.writable if mount.writable else (*plan.readable, *plan.writable)
    root = next((folder for folder in folders if folder in Path(source).parents), None)
    if root is None:
        raise JobRefused(f"Jobs may not {'write to' if mount.writable else 'see'} {mount.source}.")
    found = _reached(root, PurePosixPath(source).relative_to(root))
    if mount.writable and found.st_uid != uid:
        raise JobRefused(f"{mount.source} does not belong to the job's user.")


def _reached(root: Path, below: PurePosixPath) -> os.stat_result:
    """What stands there, gone to from ``root`` step by step without following a link. Raises `JobRefused`."""
    here = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for part in below.parts:
            above, here = here, os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(above)
            if stat.S_ISLNK(os.fstat(here).st_mode):
                raise JobRefused(f"{root / below} leads over a symbolic link.")
        return os.fstat(here)
    except OSError as error:
        raise JobRefused(f"{root / below} can't be reached: {error.strerror}.") from error
    finally:
        os.close(here)
