"""The disk store keeps the contract, also when it is killed or full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothouse.storage.contract import BlobStore, StorageFull, put
from pilothouse.storage.stores.disk import DiskStore
from pilothouse.testing.storage import BlobStoreSuite


class TestDisk(BlobStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return DiskStore(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("NOT EXERCISED: a full disk (needs root to mount a small one)")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_says_so_and_keeps_nothing(small_disk: Path) -> None:
    store = DiskStore(small_disk)
    with pytest.raises(StorageFull):
        put(store, [os.urandom(100_000) for _ in range(10)], limit=10**9)
    assert list(store.digests()) == []
    assert list((small_disk / "drafts").iterdir()) == []
    assert put(store, [b"small"], limit=100).size_bytes == 5
