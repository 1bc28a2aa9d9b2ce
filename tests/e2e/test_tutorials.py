"""Tutorials are run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.factories.installation import BIN, new_installation, remove

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "first-app.md"
BLOCK = re.compile(r"```sh run\n(.*?)```", re.DOTALL)


def test_the_first_app_works_as_written(tmp_path: Path) -> None:
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert len(blocks) == 4
    ph = new_installation()
    try:
        ph.start()
        env = {k: v for k, v in os.environ.items() if not k.startswith("CONNECT_")}
        env |= {
            "SERVER": ph.url,
            "KEY": ph.make_administrator(),
            "HOME": str(tmp_path),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }
        env.pop("XDG_CONFIG_HOME", None)
        script = "set -euo pipefail\n" + "\n".join(blocks)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=env, text=True, capture_output=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr + ph.log()
        assert '{"hello":"crew"}' in done.stdout
    finally:
        remove(ph)
