"""The unpacker accepts ordinary archives and refuses every hostile one, in words, leaving nothing behind."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
from pathlib import Path

import pytest
from tests.factories.archives import entry, raw_type, tar, targz

from pilothouse.storage.unpack import (
    ArchiveTooLarge,
    HostileArchive,
    NotAnArchive,
    Unpacked,
    UnpackLimits,
    content_root,
    unpack,
)

LIMITS = UnpackLimits(files=1000, bytes=50 * 1024 * 1024)
ABC = b"abc"
GOOD = {
    "plain": targz(("app.py", ABC)),
    "leading dots": targz(entry("./", type=tarfile.DIRTYPE, mode=0o755), ("./app.py", ABC), ("./a/./b.txt", ABC)),
    "a folder listed twice": targz(entry("a", type=tarfile.DIRTYPE), entry("a", type=tarfile.DIRTYPE), ("a/b", ABC)),
    "umlauts": targz(("größe/übung.txt", ABC)),
    "long names": targz(("x" * 150 + "/" + "y" * 150, ABC), kind=tarfile.GNU_FORMAT),
    "setuid bits": targz((entry("tool", 3, mode=0o6755), ABC)),
}
HOSTILE = {
    "symlink": targz(entry("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "symlink then through it": targz(entry("link", type=tarfile.SYMTYPE, linkname="/tmp"), ("link/evil", ABC)),
    "hard link inside": targz(("a", ABC), entry("b", type=tarfile.LNKTYPE, linkname="a")),
    "hard link outside": targz(entry("b", type=tarfile.LNKTYPE, linkname="../../etc/passwd")),
    "fifo": targz(entry("fifo", type=tarfile.FIFOTYPE)),
    "character device": targz(entry("tty", type=tarfile.CHRTYPE)),
    "block device": targz(entry("disk", type=tarfile.BLKTYPE)),
    "contiguous file": raw_type(tarfile.CONTTYPE),
    "type Z": raw_type(b"Z"),
    "up and out": targz(("a/../../x", ABC)),
    "up inside": targz(("a/../b", ABC)),
    "drive": targz(("C:x", ABC)),
    "backslash": targz(("a\\b", ABC)),
    "newline": targz(("a\nb", ABC)),
    "escape": targz(("a\x1bb", ABC)),
    "the same file twice": targz(("a", ABC), ("a", ABC)),
    "case twins": targz(("App.py", ABC), ("app.py", ABC)),
    "case twins of a parent": targz(("Lib/x", ABC), ("lib/y", ABC)),
    "composed and decomposed": targz(("é.txt", ABC), ("e\u0301.txt", ABC)),
    "sharp s": targz(("stra\u00dfe", ABC), ("STRASSE", ABC)),
    "ligature": targz(("\ufb01n", ABC), ("fin", ABC)),
    "file then folder": targz(("a", ABC), ("a/b", ABC)),
    "folder then file": targz(entry("a", type=tarfile.DIRTYPE), ("a", ABC)),
    "forty deep": targz(("/".join("d" * 40) + "/x", ABC)),
    "a long name": targz(("n" * 300, ABC)),
    "a huge extension header": targz((entry("a", 3, pax_headers={"comment": "x" * 300_000}), ABC)),
    "sparse by extension": targz((entry("a", 3, pax_headers={"GNU.sparse.map": "0,1"}), ABC)),
    "extension path outside": targz((entry("a", 3, pax_headers={"path": "../x"}), ABC)),
    "no name left": targz((entry("./.", 3), ABC)),
}
BROKEN = {
    "text": b"hello, I am no archive at all",
    "empty": b"",
    "gzip of text": gzip.compress(b"hello" * 100),
    "cut gzip": targz(("a", ABC * 1000))[:-20],
    "cut at a member": gzip.compress(tar(("a", ABC * 2000))[:2048]),
    "bzip2": bz2.compress(tar(("a", ABC))),
    "xz": lzma.compress(tar(("a", ABC))),
    "zstd magic": b"\x28\xb5\x2f\xfd" + bytes(100),
    "zip magic": b"PK\x03\x04" + bytes(100),
    "plain tar": tar(("a", ABC)),
    "bad checksum": gzip.compress(b"x" + tar(("a", ABC))[1:]),
}
LARGE = {
    "too many files": targz(*((f"f{n}", b"") for n in range(1001))),
    "too many bytes": targz(*((f"f{n}", os.urandom(6 * 1024 * 1024)) for n in range(9))),
    "zeros": targz(("zeros", bytes(40 * 1024 * 1024))),
}


def attempt(data: bytes, tmp_path: Path) -> Unpacked:
    file = tmp_path / "archive"
    file.write_bytes(data)
    return unpack(file, tmp_path / "out" / "app", limits=LIMITS)


@pytest.mark.parametrize("name", GOOD)
def test_ordinary_archives_are_unpacked(name: str, tmp_path: Path) -> None:
    attempt(GOOD[name], tmp_path)
    files = [p for p in (tmp_path / "out" / "app").rglob("*") if p.is_file()]
    assert files
    assert all(p.read_bytes() == ABC for p in files)
    assert all(p.stat().st_mode & 0o7000 == 0 for p in files)


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        (n, d, e)
        for cases, e in ((HOSTILE, HostileArchive), (BROKEN, NotAnArchive), (LARGE, ArchiveTooLarge))
        for n, d in cases.items()
    ],
    ids=[n for cases in (HOSTILE, BROKEN, LARGE) for n in cases],
)
def test_every_other_archive_is_refused_and_leaves_nothing(
    name: str, data: bytes, error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error) as refusal:
        attempt(data, tmp_path)
    assert str(refusal.value).endswith(".")
    assert not any(c in str(refusal.value) for c in "\n\x1b\x00")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_absolute_path_never_leaves_the_folder(tmp_path: Path) -> None:
    info = entry("x", 3)
    info.name = "/etc/pilothouse-evil"
    with pytest.raises(HostileArchive, match="absolute"):
        attempt(targz((info, ABC)), tmp_path)
    assert not Path("/etc/pilothouse-evil").exists()


def test_a_gigabyte_of_zeros_in_a_megabyte_is_stopped_early(tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    head = entry("zeros", 1024**3)
    with gzip.open(file, "wb", compresslevel=9) as out:
        out.write(head.tobuf())
        for _ in range(1024):
            out.write(bytes(1024 * 1024))
        out.write(bytes(1024))
    assert file.stat().st_size < 2 * 1024 * 1024
    with pytest.raises(ArchiveTooLarge):
        unpack(file, tmp_path / "out" / "app", limits=UnpackLimits())


def test_a_hundred_thousand_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveTooLarge, match="20000 files"):
        file = tmp_path / "many"
        file.write_bytes(targz(*((f"f{n}", b"") for n in range(100_000))))
        unpack(file, tmp_path / "out" / "app", limits=UnpackLimits())


def test_what_a_killed_try_left_goes_with_the_next(tmp_path: Path) -> None:
    litter = tmp_path / "out" / ".app.abc123"
    litter.mkdir(parents=True)
    (litter / "half").write_bytes(ABC)
    attempt(GOOD["plain"], tmp_path)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["app"]


def test_files_belong_to_the_user_they_are_for(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT EXERCISED: unpacking as another user (needs root)")
    tmp_path.chmod(0o711)
    file = tmp_path / "archive"
    file.write_bytes(GOOD["plain"])
    unpack(file, tmp_path / "out" / "app", limits=LIMITS, uid=200_321)
    assert (tmp_path / "out" / "app" / "app.py").stat().st_uid == 200_321


def test_a_single_folder_at_the_top_is_stepped_into(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "app.py").write_bytes(ABC)
    assert content_root(tmp_path) == tmp_path / "a" / "b"
    (tmp_path / "a" / "readme").write_bytes(ABC)
    assert content_root(tmp_path) == tmp_path / "a"
