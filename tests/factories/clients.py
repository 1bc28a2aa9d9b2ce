"""Virtual environments with the unmodified clients, each with packages of its own, as on a user's machine."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENTS, OLD_CLIENTS = "clients", "old-clients"


@dataclass(frozen=True)
class Venv:
    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)


def venv_of(kind: str) -> Venv:
    """The one made from ``requirements/{kind}.txt``; made anew when that file changes, by one process at a time."""
    wanted = ROOT / "requirements" / f"{kind}.txt"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    folders = ROOT / ".venv" / "clients"
    folders.mkdir(parents=True, exist_ok=True)
    made = Venv(folders / f"{kind}-{digest}")
    with (folders / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.folder / ".ready").exists():
            _make(made, wanted)
    return made


def _make(venv: Venv, wanted: Path) -> None:
    shutil.rmtree(venv.folder, ignore_errors=True)
    uv = str(Path(sys.executable).parent / "uv")
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(venv.folder)],
        [uv, "pip", "install", "--quiet", "--python", venv.python, "--require-hashes", "-r", str(wanted)],
    ):
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    (venv.folder / ".ready").touch()
