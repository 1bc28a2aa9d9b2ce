"""Use of content, read from Envoy's access log: rows for statistics, and in memory who is busy now.

The offset is committed with the rows, and a row's stream id is unique: a line counts once, whenever we are killed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, select

from pilothouse.base import clock
from pilothouse.db import Database, DatabaseDown, Tx
from pilothouse.gateway.envoy.accesslog import ENDED, OPENED
from pilothouse.gateway.models import LogOffset, UsageEvent

log = structlog.get_logger(__name__)
ROUND_S = 1.0
CHUNK = 4 * 1024 * 1024
BATCH = 500
SWITCHED = 101


@dataclass
class Busy:
    """How one job is used: open WebSockets (stream id → when it opened), and the moment of its last line; seconds since 1970."""

    sockets: dict[str, float] = field(default_factory=dict)
    last: float = 0.0


class UsageReader:
    """Follows the access log ``path``, also across rotation (a file is known by its inode).

    ``since`` tells when the oldest living Envoy was started: a socket that is older was lost with an Envoy that was killed,
    and nobody will ever log its end.
    """

    def __init__(self, database: Database, path: Path, *, since: Callable[[], float | None] = lambda: None) -> None:
        self._database, self._path, self._since = database, path, since
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
            with suppress(FileNotFoundError):  # rotated away meanwhile: it comes again under its new name
                count += self._read(file)
        self._close_lost()
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
        rotated = sorted(self._path.parent.glob(f"{self._path.name}.*"), key=lambda file: file.suffix, reverse=True)
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
            self._keep(tx, lines)
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
        began = (_moment(line) or clock.now()).timestamp()
        with self._lock:
            busy = self._busy.setdefault(str(job), Busy())
            busy.last = max(busy.last, began + (line.get("ms") or 0) / 1000)
            if line.get("kind") == OPENED:
                busy.sockets[str(line["id"])] = began
            else:
                busy.sockets.pop(str(line["id"]), None)

    def _keep(self, tx: Tx, lines: Sequence[dict[str, Any]]) -> None:
        """Few statements for many lines: others wait for the database meanwhile."""
        good = [line for line in lines if self._is_whole(line)]
        rows: dict[str, UsageEvent] = {}
        for first in range(0, len(good), BATCH):
            streams = [str(line["id"]) for line in good[first : first + BATCH]]
            rows.update(
                {row.stream: row for row in tx.scalars(select(UsageEvent).where(UsageEvent.stream.in_(streams)))}
            )
        for line in good:
            stream = str(line["id"])
            if stream not in rows:
                rows[stream] = UsageEvent(stream=stream)
                tx.add(rows[stream])
            _fill(rows[stream], line)

    def _is_whole(self, line: dict[str, Any]) -> bool:
        if _moment(line) is not None and line.get("id") and str(line["cid"]).partition(":")[2].isdigit():
            return True
        self.garbage += 1
        return False

    def _close_lost(self) -> None:
        since = self._since()
        if since is None:
            return
        with self._lock:
            lost = {stream for busy in self._busy.values() for stream, began in busy.sockets.items() if began < since}
            for busy in self._busy.values():
                busy.sockets = {stream: began for stream, began in busy.sockets.items() if stream not in lost}
        if lost:
            with self._database.write() as tx:
                for row in tx.scalars(
                    select(UsageEvent).where(UsageEvent.stream.in_(lost), UsageEvent.ended_at.is_(None))
                ):
                    _end(row, datetime.fromtimestamp(since, UTC))

    def _remember_open_sockets(self) -> None:
        """After a restart: sockets whose end was never logged are still open."""
        open_ones = (UsageEvent.kind == "socket", UsageEvent.ended_at.is_(None))
        with self._database.read() as tx:
            for row in tx.scalars(select(UsageEvent).where(*open_ones)):
                if row.job_key:
                    self._busy.setdefault(row.job_key, Busy()).sockets[row.stream] = row.started_at.timestamp()


def sweep(database: Database, *, older_than: timedelta) -> int:
    """Remove rows of use that began longer ago; returns how many."""
    with database.write() as tx:
        result = tx.execute(delete(UsageEvent).where(UsageEvent.started_at < clock.now() - older_than))
        return int(getattr(result, "rowcount", 0))


def _fill(row: UsageEvent, line: dict[str, Any]) -> None:
    """What a line tells; of a socket's two lines the second one completes the first."""
    started = _moment(line)
    assert started is not None
    kind, _, number = str(line["cid"]).partition(":")
    is_socket = line.get("kind") == OPENED or line.get("status") == SWITCHED
    row.kind = "socket" if is_socket else "visit" if line.get("page") else "hit"
    row.subject_kind, row.subject_id, row.started_at = kind, int(number), started
    row.stage_id, row.principal_id = _number(line, "stage"), _number(line, "sub")
    row.bundle_id, row.job_key = _number(line, "bundle"), line.get("jid")
    row.path, row.status = str(line.get("path") or "")[:1000], int(line.get("status") or 0)
    row.user_agent = str(line.get("agent") or "")[:400]
    if line.get("kind") == ENDED:
        _end(row, started + timedelta(milliseconds=int(line.get("ms") or 0)))


def _end(row: UsageEvent, at: datetime) -> None:
    row.ended_at = max(at, row.started_at)
    row.duration_ms = int((row.ended_at - row.started_at).total_seconds() * 1000)


def _moment(line: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(line["t"]))
    except (KeyError, ValueError):
        return None


def _number(line: dict[str, Any], name: str) -> int | None:
    text = str(line.get(name) or "")
    return int(text) if text.isdigit() else None
