"""Running the scripts that read what others uploaded: children without our packages, variables and open files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_child(script: Path, *words: str, fds: Sequence[int], timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    """Run ``script`` to its end, with ``fds`` open to it and nothing else. Raises `subprocess.TimeoutExpired`."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), *words],
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        env={},
        timeout=timeout_s,
        check=False,
    )
