"""Use of content, read from Envoy's access log: rows for statistics, and in memory who is busy now.

The offset is committed with the rows, and a row's stream id is unique: a line counts once, whenever we are killed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, func, select

from pilothouse.base import clock
from pilothouse.db import Database, DatabaseDown, Tx
from pilothouse.gateway.envoy.accesslog import ENDED, OPENED, merged, moment_of
from pilothouse.gateway.models import LogOffset, UsageEvent
from pilothouse.gateway.visitors import NUMBER, Visitors

log = structlog.get_logger(__name__)
ROTATED = 9
ROUND_S = 1.0
CHUNK = 4 * 1024 * 1024
BATCH = 500
#: Rows that are looked at for what was used just before a restart.
NEWEST = 50_000
SWITCHED = 101
STREAM_LIMIT, KIND_LIMIT, JOB_LIMIT = 40, 20, 24
LONGEST_MS = 10**12


@dataclass
class Busy:
    """How one job is used: open WebSockets (stream id → when it opened), and the moment of its last line; seconds since 1970."""

    sockets: dict[str, float] = field(default_factory=dict)
    last: float = 0.0


class UsageReader:
    """Follows the access log ``path``, also across rotation (a file is known by its inode).

    ``since`` tells when the oldest living Envoy was started: a socket that is older was lost with an Envoy that was killed,
    and nobody will ever log its end. ``visitors`` says what may be kept of a person; it is asked once, when a row is made.
    ``heard`` gets every line of the log once, also those that are no use of anything.
    """

    def __init__(
        self,
        database: Database,
        path: Path,
        visitors: Visitors,
        *,
        since: Callable[[], float | None] = lambda: None,
        heard: Callable[[dict[str, Any]], None] = lambda line: None,
    ) -> None:
        self._database, self._path, self._visitors, self._since = database, path, visitors, since
        self._heard, self._fresh = heard, list[dict[str, Any]]()
        self._busy: dict[str, Busy] = {}
        self._lock = threading.Lock()
        self.garbage = 0
        self._warned: set[str] = set()
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

    def opened_since(self, job_key: str, moment: datetime) -> int:
        """How many of the job's open sockets were opened after ``moment``."""
        since = moment.timestamp()
        with self._lock:
            newest_first = reversed(self._busy.get(job_key, Busy()).sockets.values())
            return sum(1 for _ in takewhile(lambda began: began > since, newest_first))

    def used_since(self, moment: datetime) -> dict[str, float]:
        """Jobs that were used after ``moment``, as the rows tell, each with when its last use began (seconds since 1970)."""
        newest = select(func.max(UsageEvent.id)).scalar_subquery() - NEWEST
        last = select(UsageEvent.job_key, func.max(UsageEvent.started_at)).where(
            UsageEvent.id > newest, UsageEvent.started_at > moment, UsageEvent.job_key.is_not(None)
        )
        with self._database.read() as tx:
            return {str(key): at.timestamp() for key, at in tx.execute(last.group_by(UsageEvent.job_key)).all()}

    def open_sockets(self) -> int:
        """How many WebSockets are open to all jobs together."""
        with self._lock:
            return sum(len(busy.sockets) for busy in self._busy.values())

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
        """Rotated ones first: their end may not have been read. The folder need not be ours to list."""
        numbered = (self._path.with_name(f"{self._path.name}.{number}") for number in range(ROTATED, 0, -1))
        return [file for file in (*numbered, self._path) if file.exists()]

    def _read(self, file: Path) -> int:
        with file.open("rb") as stream:  # what is open stays the same file, whatever is renamed meanwhile
            status = os.fstat(stream.fileno())
            name = f"access-{status.st_ino}"
            offset = self._offset(name)
            if status.st_size < offset:
                offset = 0  # truncated in place
            stream.seek(offset)
            data = stream.read(CHUNK)
        whole = data[: data.rfind(b"\n") + 1]
        if not whole and len(data) < CHUNK:
            return 0  # half a line at most: its end is still to come
        self._fresh.clear()
        lines = list(self._parsed(whole)) if whole else self._skipped(file, name)
        with self._database.write() as tx:
            self._keep(tx, lines)
            tx.merge(LogOffset(name=name, offset=offset + len(whole or data)))
        for line in self._fresh:
            self._heard(line)
        return len(lines)

    def _skipped(self, file: Path, name: str) -> list[dict[str, Any]]:
        """No line is as long as this. What is left of it before the next newline will be no line either."""
        self.garbage += 1
        if name not in self._warned:
            self._warned.add(name)
            log.warning("a stretch of the access log holds no lines and is skipped", file=str(file))
        return []

    def _offset(self, name: str) -> int:
        with self._database.read() as tx:
            known = tx.get(LogOffset, name)
            return known.offset if known else 0

    def _parsed(self, data: bytes) -> Iterator[dict[str, Any]]:
        for raw in data.splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                self.garbage += 1
                continue
            if not isinstance(line, dict):
                self.garbage += 1
                continue
            line = merged(line)
            self._fresh.append(line)
            if not line.get("cid"):
                continue  # a request that was no use of anything
            if not _is_whole(line):
                self.garbage += 1
                continue
            self._note(line)
            yield line

    def _note(self, line: dict[str, Any]) -> None:
        job = line.get("jid")
        if not job:
            return
        began = (moment_of(line) or clock.now()).timestamp()
        with self._lock:
            busy = self._busy.setdefault(str(job), Busy())
            until = began + (line.get("ms") or 0) / 1000  # of a handshake: it may have waited for a worker
            busy.last = max(busy.last, until)
            if line.get("kind") == OPENED:
                busy.sockets[str(line["id"])] = until
            else:
                busy.sockets.pop(str(line["id"]), None)

    def _keep(self, tx: Tx, lines: Sequence[dict[str, Any]]) -> None:
        """Few statements for many lines: others wait for the database meanwhile."""
        rows: dict[str, UsageEvent] = {}
        for first in range(0, len(lines), BATCH):
            streams = [str(line["id"]) for line in lines[first : first + BATCH]]
            rows.update(
                {row.stream: row for row in tx.scalars(select(UsageEvent).where(UsageEvent.stream.in_(streams)))}
            )
        for line in lines:
            stream = str(line["id"])
            if stream not in rows:
                rows[stream] = self._begun(stream, line)
                tx.add(rows[stream])
            _fill(rows[stream], line)

    def _begun(self, stream: str, line: dict[str, Any]) -> UsageEvent:
        """A row that says who it was, as far as it may."""
        visitor = self._visitors.kept(_number(line, "stage"), _text(line, "sub"), moment_of(line) or clock.now())
        path, agent = _text(line, "path"), _text(line, "agent")
        if not visitor.is_described:
            path, agent = path.partition("?")[0], ""  # a query may hold anything
        return UsageEvent(
            stream=stream,
            principal_id=visitor.principal_id,
            pseudonym=visitor.pseudonym,
            path=path[:1000],
            user_agent=agent[:400],
        )

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
    started = moment_of(line)
    assert started is not None
    kind, _, number = str(line["cid"]).partition(":")
    is_socket = line.get("kind") == OPENED or line.get("status") == SWITCHED
    row.kind = "socket" if is_socket else "visit" if line.get("page") else "hit"
    row.subject_kind, row.subject_id, row.started_at = kind, int(number), started
    row.stage_id, row.bundle_id, row.job_key = (
        _number(line, "stage"),
        _number(line, "bundle"),
        _text(line, "jid") or None,
    )
    row.status = _number(line, "status") or 0
    if line.get("kind") == ENDED:
        _end(row, started + timedelta(milliseconds=int(line.get("ms") or 0)))


def _is_whole(line: dict[str, Any]) -> bool:
    """Whether everything in it fits its column: one bad line must not hold up all that come after it."""
    kind, _, number = str(line["cid"]).partition(":")
    milliseconds = line.get("ms") or 0
    return (
        moment_of(line) is not None
        and 0 < len(_text(line, "id")) <= STREAM_LIMIT
        and len(kind) <= KIND_LIMIT
        and NUMBER.fullmatch(number) is not None
        and len(_text(line, "jid")) <= JOB_LIMIT
        and isinstance(milliseconds, int)
        and 0 <= milliseconds < LONGEST_MS
    )


def _end(row: UsageEvent, at: datetime) -> None:
    row.ended_at = max(at, row.started_at)
    row.duration_ms = int((row.ended_at - row.started_at).total_seconds() * 1000)


def _number(line: dict[str, Any], name: str) -> int | None:
    text = _text(line, name)
    return int(text) if NUMBER.fullmatch(text) else None


def _text(line: dict[str, Any], name: str) -> str:
    """Clients choose some of it: what no terminal should print, and no database takes, is replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(line.get(name) or ""))
