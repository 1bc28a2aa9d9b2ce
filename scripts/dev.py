"""``make dev``: a server on the repository's own code; when a file of ``src`` changes, the control plane starts anew."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".demo" / "dev"
WATCHED = {".py", ".html", ".css", ".js", ".po"}


def main() -> int:
    command = [sys.executable, "-m", "pilothouse", "serve", "--home", str(HOME), *sys.argv[1:]]
    server = subprocess.Popen(command)
    seen = newest()
    try:
        while server.poll() is None:
            time.sleep(0.5)
            if (now := newest()) != seen:
                seen = now
                print("Something changed; the control plane starts anew.", flush=True)
                for pid in control_planes():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)
    except KeyboardInterrupt:
        server.terminate()
    return server.wait()


def newest() -> float:
    return max((p.stat().st_mtime for p in (ROOT / "src").rglob("*") if p.suffix in WATCHED), default=0.0)


def control_planes() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"pilothouse\0worker\0--home\0{HOME}" in (entry / "cmdline").read_text():
                found.append(int(entry.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
