"""Which Node.js are installed: each candidate is started once and asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import structlog
from packaging.version import Version

from pilothouse.runtimes.contract import Runtime
from pilothouse.runtimes.discover import usable

log = structlog.get_logger(__name__)

ASK = (
    "const p = process; console.log(JSON.stringify([p.versions.node, p.execPath,"
    " [p.versions.modules, p.arch, p.versions.v8, (p.report?.getReport().header.glibcVersionRuntime) ?? 'other'].join(' ')]))"
)
FOLDERS = ("/opt/node/*/bin", "/opt/nodejs/*/bin")


def discover_node(configured: Iterable[Path] = (), *, for_uid: int | None = None) -> list[Runtime]:
    """Installed versions, newest first, one of each. ``configured`` replaces the search; ``for_uid`` as for `discover`."""
    return usable(candidates(configured), _ask, for_uid=for_uid)


def candidates(configured: Iterable[Path] = ()) -> list[Path]:
    """What is asked; ``configured`` replaces the search."""
    return [path.expanduser() for path in configured] or _search()


def _search() -> list[Path]:
    on_path = [Path(hit) for name in ("node", "nodejs") if (hit := shutil.which(name))]
    others = [path for pattern in FOLDERS for path in sorted(Path("/").glob(f"{pattern.lstrip('/')}/node"))]
    return list(dict.fromkeys([*on_path, *others]))


@lru_cache(maxsize=200)
def _ask(path: str, modified: float) -> Runtime | None:
    try:
        done = subprocess.run(
            [path, "-e", ASK], capture_output=True, timeout=20, check=True, cwd="/", env={"PATH": "/usr/bin:/bin"}
        )
        version, executable, build = json.loads(done.stdout)
        Version(version)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.info("interpreter skipped", path=path, reason=type(error).__name__)
        return None
    real = Path(executable).resolve()
    prefix = real.parent.parent
    return Runtime("nodejs", version, real, build, "" if str(prefix) in ("/usr", "/usr/local") else str(prefix))
