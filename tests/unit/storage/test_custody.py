"""What publishers' users own is given, measured and removed as those users: by a server that is root, and through the runner."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.archives import targz
from tests.factories.runners import FIRST_UID, running

from pilothouse.storage import custody
from pilothouse.storage.compare import text_difference
from pilothouse.storage.custody import OWN, Custodian
from pilothouse.storage.unpack import HostileArchive, UnpackLimits, unpack

UID = FIRST_UID + 40
LIMITS = UnpackLimits(files=100, bytes=1024 * 1024)


@pytest.fixture(params=["own", "runner"])
def custodian(request: pytest.FixtureRequest) -> Iterator[Custodian]:
    if os.geteuid() != 0:
        pytest.skip("NOT EXERCISED: files of other users (needs root)")
    if request.param == "own":
        yield OWN
        return
    with running(interpreter="/usr/bin/python3") as made:
        yield made.launcher()


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ph-cu-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def as_user(code: str, folder: Path) -> None:
    command = ["/usr/bin/python3", "-c", code]
    subprocess.run(command, check=True, cwd=folder, user=UID, group=UID, extra_groups=[])


def given(folder: Path, custodian: Custodian) -> Path:
    """A build's folder."""
    place = folder / "build"
    place.mkdir(mode=0o700)
    custody.give(place, UID, custodian, mode=custody.SHARED)
    return place


def test_a_folder_that_is_given_is_its_users(folder: Path, custodian: Custodian) -> None:
    place = given(folder, custodian)
    assert (place.stat().st_uid, place.stat().st_gid, place.stat().st_mode & 0o777) == (UID, os.getegid(), 0o770)
    as_user("open('here', 'w').write('x')", place)


def test_an_archive_is_unpacked_as_its_user(folder: Path, custodian: Custodian) -> None:
    archive = folder / "archive"
    archive.write_bytes(targz(("app.py", b"abc"), ("data/x.csv", b"1,2")))
    done = unpack(archive, folder / "apps" / "one", limits=LIMITS, uid=UID, custodian=custodian)
    assert (done.files, done.bytes) == (2, 6)
    assert {p.stat().st_uid for p in (folder / "apps" / "one").rglob("*")} == {UID}
    assert [p.name for p in (folder / "apps").iterdir()] == ["one"]
    again = unpack(archive, folder / "apps" / "one", limits=LIMITS, uid=UID, custodian=custodian)
    assert again == done
    archive.write_bytes(targz(("../app.py", b"abc")))
    with pytest.raises(HostileArchive):
        unpack(archive, folder / "apps" / "two", limits=LIMITS, uid=UID, custodian=custodian)
    assert [p.name for p in (folder / "apps").iterdir()] == ["one"]


def test_two_archives_are_compared_as_nobody(folder: Path, custodian: Custodian) -> None:
    old, new = folder / "old", folder / "new"
    old.write_bytes(targz(("app.py", b"one\n")))
    new.write_bytes(targz(("app.py", b"two\n")))
    assert text_difference(old, new, "app.py", custodian).lines[1:] == ["-one", "+two"]
    assert text_difference(None, new, "app.py", custodian).lines[1:] == ["+two"]


def test_what_was_closed_is_measured_and_removed_too(folder: Path, custodian: Custodian) -> None:
    place = given(folder, custodian)
    (place / "ours").write_text("a file of the server's in the user's folder")
    as_user(
        "import os\n"
        "os.makedirs('a/b/c')\n"
        "open('a/b/c/big', 'wb').write(bytes(3_000_000))\n"
        "os.symlink('/etc', 'a/link')\n"
        "os.chmod('a/b/c', 0); os.chmod('a/b', 0o500); os.chmod('a', 0); os.chmod('.', 0)",
        place,
    )
    assert 3_000_000 <= custody.size_of(place, UID, custodian) < 4_000_000
    as_user("import os; os.chmod('a', 0)", place)
    custody.remove(place, UID, custodian)
    assert not place.exists()
    assert Path("/etc/passwd").exists()
    custody.remove(place, UID, custodian)


def test_folders_in_each_other_without_end_are_too_large_and_go(folder: Path, custodian: Custodian) -> None:
    place = given(folder, custodian)
    as_user("import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\nopen('x', 'w').write('x')", place)
    assert custody.size_of(place, UID, custodian) >= custody.TOO_DEEP
    custody.remove(place, UID, custodian)
    assert not place.exists()


def test_removing_does_not_follow_a_link(folder: Path, custodian: Custodian) -> None:
    other = folder / "other"
    other.mkdir()
    os.chown(other, UID, UID)
    as_user("open('kept', 'w').write('x')", other)
    place = given(folder, custodian)
    as_user(f"import os; os.symlink({str(other)!r}, 'link')", place)
    custody.remove(place, UID, custodian)
    assert (other / "kept").exists() and not place.exists()
    (folder / "planted").symlink_to(other)
    custody.remove(folder / "planted", UID, custodian)
    assert (other / "kept").exists()
