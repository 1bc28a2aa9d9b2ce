"""A home whose disk is full: apps go on, refusals say so, and once there is room everything works again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.archives import targz
from tests.factories.installation import Installation, new_installation, remove, until

pytestmark = pytest.mark.xdist_group("installation")

APP = b"import os\nfrom fastapi import FastAPI\napp = FastAPI()\nBOOT = os.urandom(8).hex()\n\n@app.get('/')\ndef about():\n    return BOOT\n"
MANIFEST = {
    "version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
    "python": {"version": "3.11.0", "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
}  # fmt: skip


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


def bundle(size_bytes: int = 0) -> bytes:
    files = {"manifest.json": json.dumps(MANIFEST).encode(), "app.py": APP, "requirements.txt": b"fastapi\n"}
    return targz(*files.items(), ("data.bin", os.urandom(size_bytes)))


def deploy(ph: Installation, guid: str, data: bytes) -> None:
    uploaded = ph.api("POST", f"v1/content/{guid}/bundles", content=data)
    assert uploaded.status_code == 200, uploaded.text
    key = ph.api("POST", f"v1/content/{guid}/deploy", json={"bundle_id": uploaded.json()["id"]}).json()["task_id"]
    task = until(lambda: t if (t := ph.api("GET", f"v1/tasks/{key}?wait=5").json())["finished"] else None, 90)
    assert task["code"] == 0, task


def fill(disk: Path) -> Path:
    with (disk / "everything").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1024 * 1024)):
                pass
        except OSError:
            return disk / "everything"


def test_a_full_disk_loses_nothing_and_says_so(ph: Installation) -> None:
    guid = ph.api("POST", "v1/content", json={"name": "kept"}).json()["guid"]
    deploy(ph, guid, bundle())
    boot = ph.get(f"/content/{guid}/").text
    filler = fill(ph.home)
    for attempt in (
        ph.api("POST", "v1/content", json={"name": "refused"}),
        ph.api("POST", f"v1/content/{guid}/bundles", content=bundle(3_000_000)),
    ):
        assert attempt.status_code == 503
        assert "Nothing was" in attempt.json()["error"]
    assert ph.get(f"/content/{guid}/").text == boot, "an app goes on"
    assert ph.get("/").status_code == 200
    filler.unlink()
    deploy(ph, guid, bundle(3_000_000))
    assert ph.get(f"/content/{guid}/").text != boot
    assert '"intact": true' in ph.cli("audit", "verify", "--home", str(ph.home), "--json").stdout
