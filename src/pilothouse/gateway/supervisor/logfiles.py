"""Log files that do not grow for ever. Programs write to them directly: a pipe through us would break when we end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def is_over(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size > size
    except OSError:
        return False


def cut(file: Path, *, files: int) -> None:
    """Copy the file aside and empty it, for programs that keep it open (for appending). Lines written in between are lost."""
    _shift(file, files)
    shutil.copy(file, _aside(file, 1))  # with its mode
    os.truncate(file, 0)


def put_aside(file: Path, *, files: int) -> None:
    """Rename the file. Its writer must be told to open it anew; until then it writes to the renamed one, and no line is lost."""
    _shift(file, files)
    file.rename(_aside(file, 1))


def make(file: Path, owner: int | None, group: int | None) -> None:
    """Have a file for a writer who may not make one in this folder; ``group`` may read it, where one is given."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.fchown(descriptor, -1 if owner is None else owner, -1 if group is None else group)
        if group is not None:
            os.fchmod(descriptor, 0o640)
    finally:
        os.close(descriptor)


def tail(file: Path, *, lines: int = 5) -> list[str]:
    """The last lines, for a message about the program that wrote them."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - 4096))
            return stream.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def _shift(file: Path, files: int) -> None:
    for number in range(max(1, files - 1), 0, -1):
        if _aside(file, number).exists():
            _aside(file, number).replace(_aside(file, number + 1))
    _aside(file, max(1, files - 1) + 1).unlink(missing_ok=True)


def _aside(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")
