"""Files of publishers: given to the user they belong to, and read, measured and removed as that user, by scripts of our own.

Whoever may do so keeps `Custodian`: a server that is root does it itself, one that is not asks the one part that is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

UNPACK, COMPARE, PEEK, TREE = "unpack", "compare", "peek", "tree"
#: Each reads what others made: ``python -I -S SCRIPT UID WORD…``, standard library only; it becomes the user UID, unless that is ``-``.
SCRIPTS = {name: Path(__file__).with_name(f"{name}_child.py") for name in (UNPACK, COMPARE, PEEK, TREE)}
#: For what needs no rights at all.
NOBODY = 65_534
#: For everybody to see; and for the server beside the owner.
OPEN, SHARED = 0o755, 0o770
TREE_S = 600.0
#: What is so deep that it can't be measured is larger than anything allowed.
TOO_DEEP = 1 << 62


class Custodian(Protocol):
    """What takes the rights of another user. ``folder`` and ``files`` are open."""

    def give(self, folder: int, uid: int, *, mode: int) -> None:
        """The folder, ours until now, belongs to ``uid``; the server's group keeps what ``mode`` (`OPEN`, `SHARED`) lets it."""
        ...

    def run(
        self, script: str, words: Sequence[str], *, files: Sequence[int], uid: int, timeout_s: float
    ) -> tuple[int, str] | None:
        """Exit code and output of one of `SCRIPTS`, run as ``uid``; ``None`` if it took too long.

        ``{0}`` in ``words`` stands for the number of the first of ``files``; nothing else is open to it.
        """
        ...


class OwnCustodian:
    """For a server that is root; or one where everything belongs to its own user: then ``uid`` counts nothing."""

    def give(self, folder: int, uid: int, *, mode: int) -> None:
        os.fchown(folder, uid, os.getegid())
        os.fchmod(folder, mode)

    def run(
        self, script: str, words: Sequence[str], *, files: Sequence[int], uid: int, timeout_s: float
    ) -> tuple[int, str] | None:
        numbers = {f"{{{place}}}": str(file) for place, file in enumerate(files)}
        user = str(uid) if os.geteuid() == 0 else "-"
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(SCRIPTS[script]), user, *(numbers.get(word, word) for word in words)],
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd="/",
                env={},
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode, done.stdout.decode(errors="replace")


OWN = OwnCustodian()


def give(folder: Path, uid: int | None, custodian: Custodian, *, mode: int) -> None:
    """Let a folder that we just made belong to ``uid``; ``None`` changes nothing."""
    if uid is not None:
        with _opened(folder, os.O_RDONLY) as file:
            custodian.give(file, uid, mode=mode)


def size_of(folder: Path, uid: int | None, custodian: Custodian = OWN) -> int:
    """Bytes that the files below ``folder`` take on the disk, also where ``uid``, whose they are, closed folders to us."""
    with _opened(folder) as file:
        whose = os.geteuid() if uid is None else uid
        done = custodian.run(TREE, ["size", "{0}"], files=[file], uid=whose, timeout_s=TREE_S)
    return int(done[1]) if done is not None and done[0] == 0 else TOO_DEEP


def remove(folder: Path, uid: int | None, custodian: Custodian = OWN) -> None:
    """Remove a folder with what ``uid`` wrote there; what can't be removed stays, and one that is not there is no error."""
    if uid is not None and folder.is_dir() and not folder.is_symlink():
        with _opened(folder) as file:
            custodian.run(TREE, ["empty", "{0}"], files=[file], uid=uid, timeout_s=TREE_S)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(folder: Path, how: int = os.O_PATH) -> Iterator[int]:
    """As a mere path, unless something else is asked for: its owner may have closed it to us."""
    file = os.open(folder, how | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield file
    finally:
        os.close(file)
