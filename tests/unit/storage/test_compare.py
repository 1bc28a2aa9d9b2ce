"""Text of two archives is compared by a child; what is no text, too large or hostile is told apart and never raised."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from tests.factories.archives import entry, targz

from pilothouse.storage.compare import text_difference

OLD = b"import math\n\n\ndef area(r):\n    return 3.14 * r * r\n"
NEW = b"import math\n\n\ndef area(r):\n    return math.pi * r * r\n"


def archive(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_changed_lines_stand_with_what_is_around_them(tmp_path: Path) -> None:
    old, new = archive(tmp_path, "old", targz(("app.py", OLD))), archive(tmp_path, "new", targz(("app/app.py", NEW)))
    found = text_difference(old, new, "app.py")
    assert found.why == "" and found.left_out == 0
    assert found.lines[0].startswith("@@")
    assert "-    return 3.14 * r * r" in found.lines and "+    return math.pi * r * r" in found.lines
    assert " def area(r):" in found.lines


def test_an_added_and_a_removed_file_are_shown_whole(tmp_path: Path) -> None:
    path = archive(tmp_path, "a", targz(("notes.txt", b"one\ntwo\n")))
    assert text_difference(None, path, "notes.txt").lines[1:] == ["+one", "+two"]
    assert text_difference(path, None, "notes.txt").lines[1:] == ["-one", "-two"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (targz(("x", b"\x89PNG\0\0")), "binary"),
        (targz(("x", b"\xff\xfe\xff")), "binary"),
        (targz(("x", b"a\n" * 200_000)), "large"),
        (targz(("y", b"abc")), "missing"),
        (targz(entry("x", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "missing"),
        (b"no archive", "broken"),
        (targz(("x", b"abc"))[:30], "broken"),
    ],
    ids=["picture", "no utf-8", "long", "other name", "link", "no archive", "cut off"],
)
def test_what_cannot_be_compared_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    assert (
        text_difference(archive(tmp_path, "old", targz(("x", b"abc"))), archive(tmp_path, "new", data), "x").why == why
    )


def test_a_bomb_before_the_file_ends_the_reading(tmp_path: Path) -> None:
    made = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        bomb = tarfile.TarInfo("bomb")
        bomb.size = 700 * 1024**2

        class Zeros(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, buffer: object) -> int:
                return len(memoryview(buffer))  # type: ignore[arg-type]

        tar.addfile(bomb, io.BufferedReader(Zeros()))
    path = archive(tmp_path, "bomb", made.getvalue())
    assert text_difference(path, path, "x").why == "large"


def test_a_text_that_is_hard_to_compare_is_given_up(tmp_path: Path) -> None:
    left = b"\n".join(b"%d" % (n * 7919 % 50_000) for n in range(40_000))
    right = b"\n".join(b"%d" % (n * 104_729 % 50_000) for n in range(40_000))
    old, new = (
        archive(tmp_path, "old", targz(("x", left[:250_000]))),
        archive(tmp_path, "new", targz(("x", right[:250_000]))),
    )
    found = text_difference(old, new, "x")
    assert found.why == "large" or len(found.lines) <= 2000
