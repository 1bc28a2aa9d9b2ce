"""A home whose disk is full: apps go on, refusals say so, and once there is room everything works again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.installation import Installation, new_installation, project, remove

APP = "import os\nfrom fastapi import FastAPI\napp = FastAPI()\nBOOT = os.urandom(8).hex()\n\n@app.get('/')\ndef about():\n    return BOOT\n"


@pytest.fixture
def ph() -> Iterator[Installation]:
    """Its home is a disk of 300 MB."""
    made = new_installation()
    made.home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m,mode=711", "tmpfs", str(made.home)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        remove(made)
        pytest.skip("NOT EXERCISED: a full disk (no small file system could be mounted here)")
    try:
        made.start()
        made.make_administrator()
        yield made
    finally:
        made.stop()
        subprocess.run(["umount", "-l", str(made.home)], check=True)
        remove(made)


def fill(disk: Path) -> Path:
    with (disk / "everything").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1024 * 1024)):
                pass
        except OSError:
            return disk / "everything"


def test_a_full_disk_loses_nothing_and_says_so(ph: Installation, tmp_path: Path) -> None:
    folder = project(tmp_path, {"app.py": APP, "requirements.txt": "fastapi\n"})
    guid = ph.deploy("fastapi", folder, "--entrypoint", "app:app").guid
    boot = ph.get(f"/content/{guid}/").text
    filler = fill(ph.home)
    for attempt in (
        ph.api("POST", "v1/content", json={"name": "refused"}),
        ph.api("POST", f"v1/content/{guid}/bundles", content=os.urandom(3_000_000)),
    ):
        assert attempt.status_code == 503
        assert "Nothing was" in attempt.json()["error"]
    assert ph.get(f"/content/{guid}/").text == boot, "an app goes on"
    assert ph.get("/").status_code == 200
    filler.unlink()
    ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--app-id", guid)
    assert ph.get(f"/content/{guid}/").text != boot
    assert '"intact": true' in ph.cli("audit", "verify", "--home", str(ph.home), "--json").stdout
