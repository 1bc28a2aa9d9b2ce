"""Which Pythons are installed: each candidate is started once and asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import structlog

from pilothouse.runtimes.contract import Runtime

log = structlog.get_logger(__name__)

ASK = (
    "import sys, sysconfig, platform, json;"
    "print(json.dumps([platform.python_version(), sys.base_prefix, sys.version, sysconfig.get_config_var('SOABI'),"
    " platform.libc_ver(), sys.implementation.name, sys.base_prefix != sys.prefix,"
    " sys.executable]))"
)
NAMES = [f"python3.{minor}" for minor in range(8, 16)]
FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/python/*/bin", "/opt/pythons/*/bin")


def discover(
    configured: Iterable[Path] = (), *, added: Iterable[Path] = (), for_uid: int | None = None
) -> list[Runtime]:
    """Installed CPythons, newest first, one for each version. ``configured`` replaces the search.

    ``added`` are those we installed ourselves; of one version what is on the machine comes first.

    ``for_uid``: leave out interpreters that this user can't read (one below a private home, for example).
    """
    return usable([*candidates(configured), *added], _ask, for_uid=for_uid)


def candidates(configured: Iterable[Path] = ()) -> list[Path]:
    """What is asked; ``configured`` replaces the search."""
    return [path.expanduser() for path in configured] or _search()


def usable(
    candidates: Iterable[Path], ask: Callable[[str, float], Runtime | None], *, for_uid: int | None
) -> list[Runtime]:
    """The first candidate of each version, newest first. ``ask`` gets a path and when the file was changed, and may remember."""
    found: dict[str, Runtime] = {}
    for path in candidates:
        runtime = ask(str(path), _modified(path))
        if runtime is not None and (for_uid is None or is_open(runtime.path)):
            found.setdefault(runtime.version, runtime)
    return sorted(found.values(), key=lambda r: [int(n) for n in r.version.split(".") if n.isdigit()], reverse=True)


def _search() -> list[Path]:
    found = [
        folder / name
        for pattern in FOLDERS
        for folder in _folders(pattern)
        for name in NAMES
        if (folder / name).exists()
    ]
    on_path = [Path(hit) for name in NAMES if (hit := shutil.which(name))]
    return list(dict.fromkeys([*found, *on_path]))


def _folders(pattern: str) -> list[Path]:
    return sorted(Path("/").glob(pattern.lstrip("/"))) if "*" in pattern else [Path(pattern)]


def _modified(path: Path) -> float:
    """A new file in the place of another is asked again."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@lru_cache(maxsize=200)
def _ask(path: str, modified: float) -> Runtime | None:
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", ASK],
            capture_output=True,
            timeout=20,
            check=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
        )
        version, prefix, build, soabi, libc, implementation, is_venv, executable = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.info("interpreter skipped", path=path, reason=type(error).__name__)
        return None
    if implementation != "cpython" or is_venv:
        return None
    inside_system = prefix in ("/usr", "/usr/local")
    return Runtime(
        "python",
        version,
        Path(executable).resolve(),
        f"{build} {soabi} {' '.join(libc)}",
        "" if inside_system else prefix,
    )


def is_open(path: Path) -> bool:
    """Whether everybody may go through all folders of the real path."""
    return all(p.stat().st_mode & 0o001 for p in (path.resolve(), *path.resolve().parents)) and os.access(path, os.X_OK)
