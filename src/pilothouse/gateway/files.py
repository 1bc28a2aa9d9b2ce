"""Sending a file through Envoy: what its file filter does not know (ranges, ETags, types) is decided here. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pilothouse.gateway import headers as h
from pilothouse.gateway.contract import Asked, StaticFile

RANGE = re.compile(r"bytes=(\d*)-(\d*)")
Answer = tuple[int, list[tuple[str, str]], bytes]


def reference(path: str, roots: Mapping[str, Path]) -> str | None:
    """``path`` as Envoy finds it, ``root/relative`` percent-encoded; ``None`` if it lies below none of ``roots``, or can't be sent."""
    for name, root in roots.items():
        if Path(path).is_relative_to(root):
            relative = str(Path(path).relative_to(root))
            return None if "?" in relative else f"{name}/{quote(relative)}"
    return None


def file_answer(file: StaticFile, roots: Mapping[str, Path], *, if_range: str, asked: Asked) -> Answer:
    """The door's answer for a file: 200 with a target, 304 or 416 (RFC 9110 §13, §14)."""
    fields = [("etag", file.etag), ("cache-control", file.cache_control)]
    if asked.method not in ("GET", "HEAD"):
        return 405, [("content-type", "text/plain")], b"This is a file: it can only be read.\n"
    if asked.if_none_match and (
        asked.if_none_match == "*"
        or file.etag in [t.strip().removeprefix("W/") for t in asked.if_none_match.split(",")]
    ):
        return 304, fields, b""
    found = reference(file.path, roots)
    if found is None:
        return 404, [("content-type", "text/plain")], b"This file's name can't be sent.\n"
    target = [
        (h.TO, h.FILE),
        (h.FILE_PATH, found),
        (h.FILE_ETAG, file.etag),
        (h.FILE_TYPE, file.content_type),
        (h.FILE_CACHE, file.cache_control),
    ]
    if asked.range and (not if_range or if_range == file.etag):
        wanted = byte_range(asked.range, file.size_bytes)
        if wanted is None:
            return 416, [("content-range", f"bytes */{file.size_bytes}")], b""
        if wanted:
            target.append((h.FILE_RANGE, wanted))
    return 200, target, b""


def byte_range(header: str, size: int) -> str | None:
    """``bytes=a-b`` inside a file of ``size`` bytes; empty for a header to ignore, ``None`` where no byte of it exists."""
    match = RANGE.fullmatch(header.strip())
    if match is None or (not match[1] and not match[2]):
        return ""
    if not match[1]:
        length = min(int(match[2]), size)
        return f"bytes={size - length}-{size - 1}" if length else None
    first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    if match[2] and int(match[2]) < first:
        return ""
    return f"bytes={first}-{last}" if first < size else None
