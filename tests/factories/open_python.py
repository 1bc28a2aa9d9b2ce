"""A Pilothouse that users without rights can run, as one in /opt: a small virtual environment of the system's Python in /tmp."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.source import ROOT

PYTHON = "/usr/bin/python3"
SCRIPT = "#!{python}\nimport sys\nfrom pilothouse.cli import main\nsys.exit(main())\n"


@contextlib.contextmanager
def open_bin(otherwise: Path | None = None) -> Iterator[Path]:
    """Its ``bin`` folder; where this machine has nothing to make it of, ``otherwise``, or a loud skip."""
    packages = next(Path(p) for p in sys.path if p.endswith("site-packages") and (Path(p) / "fastapi").exists())
    if why := _obstacle(packages):
        if otherwise is None:
            pytest.skip(f"NOT EXERCISED: a server without root ({why})")
        yield otherwise
        return
    made = Path(tempfile.mkdtemp(prefix="ph-py-", dir="/tmp"))
    try:
        made.chmod(0o755)
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(made)], check=True)
        (place,) = made.glob("lib/python*/site-packages")
        (place / "here.pth").write_text(f"{ROOT / 'src'}\n{packages}\n")
        script = made / "bin" / "pilothouse"
        script.write_text(SCRIPT.format(python=made / "bin" / "python"))
        script.chmod(0o755)
        yield made / "bin"
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _obstacle(packages: Path) -> str:
    code = "import sys, venv; print(*sys.version_info[:2])"
    found = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if found.stdout.split() != [str(n) for n in sys.version_info[:2]]:
        return f"{PYTHON} is not of the tests' version, or has no venv"
    closed = [p for p in (ROOT / "src", packages) if not all(above.stat().st_mode & 0o001 for above in (p, *p.parents))]
    return f"{closed[0]} is closed to other users" if closed else ""
