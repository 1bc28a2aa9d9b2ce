"""Use of content, read from Envoy's access log: rows for statistics, and in memory who is busy now.

The offset is committed with the rows, and a row's stream id is unique: a line counts once, whenever we are killed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.db import Database, DatabaseDown, Tx
from pilothouse.gateway.envoy.accesslog import ENDED, OPENED
from pilothouse.gateway.models import LogOffset, UsageEvent

log = structlog.get_logger(__name__)
ROUND_S = 1.0
CHUNK = 4 * 1024 * 1024


@dataclass
class Busy:
    """How one job is used: open WebSockets by stream id, and the moment of its last line (seconds since 1970)."""

    sockets: set[str] = field(default_factory=set)
    last: float = 0.0


class UsageReader:
    """Follows the access log ``path``, also across rotation (a file is known by its inode)."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database, self._path = database, path
        self._busy: dict[str, Busy] = {}
        self._lock = threading.Lock()
        self.garbage = 0
        self._stopping, self._thread = threading.Event(), threading.Thread(target=self._loop, name="usage", daemon=True)

    def start(self) -> None:
        self._remember_open_sockets()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def busy(self, job_key: str) -> Busy:
        """How the job is used now, as far as the log tells (about a second old)."""
        with self._lock:
            return self._busy.get(job_key, Busy())

    def once(self) -> int:
        """Read what is new; returns how many lines. Raises `DatabaseDown`."""
        count = 0
        for file in self._files():
            count += self._read(file)
        return count

    def _loop(self) -> None:
        while not self._stopping.wait(ROUND_S):
            try:
                self.once()
            except DatabaseDown:
                continue
            except Exception as error:
                log.error("the access log could not be read", exc_info=error)

    def _files(self) -> list[Path]:
        """Rotated ones first: their end may not have been read."""
        rotated = sorted(self._path.parent.glob(f"{self._path.name}.*"), key=lambda p: p.stat().st_mtime)
        return [*rotated, *([self._path] if self._path.exists() else [])]

    def _read(self, file: Path) -> int:
        name = f"access-{file.stat().st_ino}"
        with self._database.read() as tx:
            known = tx.get(LogOffset, name)
        offset = known.offset if known else 0
        size = file.stat().st_size
        if size < offset:
            offset = 0  # truncated in place
        if size == offset:
            return 0
        with file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(CHUNK)
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:
            return 0
        lines = list(self._parsed(whole))
        with self._database.write() as tx:
            for line in lines:
                self._keep(tx, line)
            tx.merge(LogOffset(name=name, offset=offset + len(whole)))
        return len(lines)

    def _parsed(self, data: bytes) -> Iterator[dict[str, Any]]:
        for raw in data.splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                self.garbage += 1
                continue
            if isinstance(line, dict) and line.get("cid"):
                self._note(line)
                yield line

    def _note(self, line: dict[str, Any]) -> None:
        job = line.get("jid")
        if not job:
            return
        ended = (_moment(line) or clock.now()).timestamp() + (line.get("ms") or 0) / 1000
        with self._lock:
            busy = self._busy.setdefault(str(job), Busy())
            busy.last = max(busy.last, ended)
            if line.get("kind") == OPENED:
                busy.sockets.add(str(line["id"]))
            else:
                busy.sockets.discard(str(line["id"]))

    def _keep(self, tx: Tx, line: dict[str, Any]) -> None:
        kind, number = str(line["cid"]).partition(":")[::2]
        started, stream = _moment(line), str(line.get("id") or "")
        if started is None or not number.isdigit() or not stream:
            self.garbage += 1
            return
        row = tx.scalar(select(UsageEvent).where(UsageEvent.stream == stream))
        is_socket = line.get("kind") == OPENED or line.get("status") == 101
        if row is None:
            row = UsageEvent(stream=stream, subject_kind=kind, subject_id=int(number), started_at=started)
            tx.add(row)
        row.kind = "socket" if is_socket else "visit" if line.get("page") else "hit"
        row.stage_id, row.principal_id, row.bundle_id = (
            _number(line, "stage"),
            _number(line, "sub"),
            _number(line, "bundle"),
        )
        row.job_key, row.path = line.get("jid"), str(line.get("path") or "")[:1000]
        row.status, row.user_agent = int(line.get("status") or 0), str(line.get("agent") or "")[:400]
        if line.get("kind") == ENDED or not is_socket:
            row.duration_ms = int(line.get("ms") or 0)
            row.ended_at = clock.now() if is_socket else started
        tx.flush()

    def _remember_open_sockets(self) -> None:
        """After a restart: sockets whose end was never logged are still open."""
        open_ones = (UsageEvent.kind == "socket", UsageEvent.ended_at.is_(None))
        with self._database.read() as tx:
            for row in tx.scalars(select(UsageEvent).where(*open_ones)):
                if row.job_key:
                    self._busy.setdefault(row.job_key, Busy()).sockets.add(row.stream)


def _moment(line: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(line["t"]))
    except (KeyError, ValueError):
        return None


def _number(line: dict[str, Any], name: str) -> int | None:
    text = str(line.get(name) or "")
    return int(text) if text.isdigit() else None
