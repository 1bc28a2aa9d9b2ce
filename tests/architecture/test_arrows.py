"""The rooms' arrows, as pyproject draws them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.factories.source import ROOMS, ROOT


def test_rooms_import_downwards_and_implementations_through_their_seam() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_in_a_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    drawn = {name.strip(" ()") for layer in contracts[0]["layers"] for name in layer.split("|")}
    assert contracts[0]["exhaustive"] is True
    assert {room.name for room in ROOMS} <= drawn
