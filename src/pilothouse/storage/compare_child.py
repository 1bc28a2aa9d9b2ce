"""Reads one file of each of two hostile archives and says what differs: ``python -I -S compare_child.py UID FD FD NAME``.

Standard library only; writes nothing but one JSON line. A descriptor of -1 means that there is no such file on that side.
"""

import difflib
import gzip
import json
import os
import resource
import sys
import tarfile
import zlib

FILE_LIMIT, STREAM_LIMIT, HEADER_LIMIT = 256 * 1024, 512 * 1024**2, 64 * 1024
LINES_LIMIT, WIDTH_LIMIT, CONTEXT = 2000, 500, 3


class Refused(Exception):
    pass


class Counted:
    """A stream that ends with a refusal where an archive is a bomb."""

    def __init__(self, stream):
        self.stream, self.total = stream, 0

    def read(self, size=-1):
        data = self.stream.read(min(size, 1024**2) if size >= 0 else 1024**2)
        self.total += len(data)
        if self.total > STREAM_LIMIT:
            raise Refused("large")
        return data


def lines_of(fd, name):
    """The lines of this file; archives may hold everything in one folder."""
    if fd < 0:
        return []
    wanted = [part for part in name.split("/") if part not in ("", ".")]
    with os.fdopen(fd, "rb") as file, tarfile.open(fileobj=Counted(gzip.GzipFile(fileobj=file)), mode="r|") as archive:
        for m in archive:
            archive.members = []
            if sum(len(k) + len(str(v)) for k, v in m.pax_headers.items()) > HEADER_LIMIT:
                raise Refused("broken")
            parts = [part for part in m.name.split("/") if part not in ("", ".")]
            if m.isreg() and wanted in (parts, parts[1:]):
                return text_of(archive.extractfile(m), m)
    raise Refused("missing")


def text_of(source, m):
    if m.size > FILE_LIMIT:
        raise Refused("large")
    data = source.read(FILE_LIMIT + 1)
    if b"\0" in data:
        raise Refused("binary")
    try:
        return data.decode().removeprefix("\ufeff").splitlines()
    except UnicodeDecodeError:
        raise Refused("binary") from None


def compare(before, after, name):
    found = difflib.unified_diff(lines_of(before, name), lines_of(after, name), n=CONTEXT, lineterm="")
    lines = [line[: WIDTH_LIMIT + 1] for number, line in enumerate(found) if number > 1]  # the first two name the files
    return {"lines": lines[:LINES_LIMIT], "left_out": max(0, len(lines) - LINES_LIMIT)}


def main():
    if (
        sys.argv[1] != "-" and os.getuid() == 0
    ):  # after the interpreter is loaded: it may stand where that user can't read
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    limits = {"AS": 512 * 1024**2, "CPU": 10, "NOFILE": 16, "FSIZE": 0, "CORE": 0}
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    try:
        answer = compare(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    except Refused as error:
        answer = {"why": error.args[0]}
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError, OSError, MemoryError):
        answer = {"why": "broken"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
