"""Heads, and where wished events, as lines of files that are only ever appended to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pilothouse.audit.contract import HEAD_FILE, Head, Sealed, as_line, head_line, heads_in
from pilothouse.settings.options import Audit


class FileSink:
    """``path`` holds heads, ``events`` events. Both may be moved away at any time; the next line begins a new file."""

    is_local: ClassVar[bool] = True

    def __init__(self, path: Path, events: Path | None = None) -> None:
        self._path, self._events = path, events

    @classmethod
    def from_settings(cls, home: Path, options: Audit) -> FileSink:
        return cls(options.head_file or home / HEAD_FILE, options.event_file)

    def append(self, head: Head, events: Sequence[Sealed] = ()) -> None:
        if self._events is not None and events:
            _append(self._events, [as_line(event.facts) for event in events])
        _append(self._path, [head_line(head)])

    def heads(self) -> list[Head]:
        if not self._path.exists():
            return []
        return heads_in(self._path.read_text(errors="replace").splitlines())


def _append(path: Path, lines: Sequence[str]) -> None:
    """Lines that are on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(_mend(path) + "".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _mend(path: Path) -> str:
    """What has to come before a line: a crash may have cut off the last one, and this one must not be lost with it."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return ""
        file.seek(-1, os.SEEK_END)
        return "" if file.read(1) == b"\n" else "\n"
