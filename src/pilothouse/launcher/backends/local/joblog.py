"""Reading a job's log: files named by the number of their first line (``log.000000000001``), oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pilothouse.launcher.contract import LogLine

STREAMS = {"o": "stdout", "e": "stderr"}


def read(job: Path, *, after: int, limit: int) -> Iterator[tuple[int, LogLine]]:
    """Up to ``limit`` numbered lines after line ``after``; lines that rotation removed are skipped."""
    files = sorted(job.glob("log.*"))
    starts = [int(f.name.removeprefix("log.")) for f in files]
    given = 0
    for position, (file, start) in enumerate(zip(files, starts, strict=True)):
        if position + 1 < len(starts) and starts[position + 1] <= after + 1:
            continue
        try:
            handle = file.open("rb")
        except FileNotFoundError:
            continue  # rotated away meanwhile
        with handle:
            for number, raw in enumerate(handle, start):
                if number <= after or not raw.endswith(b"\n"):
                    continue
                yield number, _line(raw)
                given += 1
                if given >= limit:
                    return


def _line(raw: bytes) -> LogLine:
    stamp, _, rest = raw[:-1].partition(b" ")
    stream, _, text = rest.partition(b" ")
    at = datetime.strptime(stamp.decode(), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return LogLine(at, STREAMS.get(stream.decode(), "stdout"), text.decode(errors="replace"))
