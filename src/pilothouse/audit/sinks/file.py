"""Heads as lines of a file that is only ever appended to."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from pilothouse.audit.contract import Head


class FileSink:
    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, head: Head) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = json.dumps({"number": head.number, "mac": head.mac, "at": head.at.isoformat()})
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(f"{self._mend()}{line}\n")
            file.flush()
            os.fsync(file.fileno())

    def _mend(self) -> str:
        """What has to come before a line: a crash may have cut off the last one, and this one must not be lost with it."""
        with self._path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return ""
            file.seek(-1, os.SEEK_END)
            return "" if file.read(1) == b"\n" else "\n"

    def heads(self) -> list[Head]:
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text().splitlines():
            try:
                entry = json.loads(line)
                found.append(Head(int(entry["number"]), str(entry["mac"]), datetime.fromisoformat(entry["at"])))
            except (ValueError, KeyError):
                continue  # a line cut off by a crash; the next head covers it
        return found
