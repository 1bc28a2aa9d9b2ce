"""Measuring folders: what counts, and that nobody waits for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish

from pilothouse.web.storage import Meter, is_low, measure

GB = 1024**3


def test_a_file_with_two_names_counts_once_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_bytes(b"x" * 1_000_000)
    root = tmp_path / "root"
    (root / "dev" / "guid" / "1").mkdir(parents=True)
    file = root / "dev" / "guid" / "1" / "app.py"
    file.write_bytes(b"x" * 100_000)
    os.link(file, root / "dev" / "guid" / "again.py")
    (root / "link").symlink_to(outside)
    found = measure(root, 2)
    assert 100_000 <= found.size_bytes < 120_000
    assert set(found.parts) == {"dev/guid", "link"}
    assert measure(tmp_path / "missing", 0).files == 0


def test_space_is_low_by_amount_or_by_share() -> None:
    assert is_low(1 * GB, 10 * GB) and is_low(40 * GB, 1000 * GB)
    assert not is_low(60 * GB, 1000 * GB) and not is_low(5 * GB, 50 * GB)


def test_what_is_known_is_not_measured_again_at_once(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    meter.wish()
    _wait(lambda: meter.latest is not None and not meter.is_busy)
    first = meter.latest
    meter.wish()
    assert not meter.is_busy and meter.latest is first


def test_the_page_shows_folders_and_the_largest_apps(app: FastAPI, visitor: Visitor) -> None:
    item = publish(app, "amara.okoye", "Plant monitor")
    folder = app.state.loaded.home / "apps" / "dev" / item.guid / "1"
    folder.mkdir(parents=True)
    (folder / "app.py").write_bytes(b"x" * 3_000_000)
    visitor.sign_in("jonas.brandt")
    visitor.get("/_/admin/storage")
    _wait(lambda: "being measured" not in visitor.get("/_/admin/storage").text)
    page = visitor.get("/_/admin/storage").text
    assert "Plant monitor" in page and "2.9 MB" in page and f"/_/content/{item.guid}/versions" in page


def _wait(is_so: object) -> None:
    deadline = time.monotonic() + 20
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
