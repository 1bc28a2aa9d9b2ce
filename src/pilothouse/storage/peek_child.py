"""Reads what a hostile archive says of its data, and the beginning of the data: ``python -I -S peek_child.py UID FD``.

Standard library only; writes nothing but one JSON line. The archive is a pin: ``data.txt`` names the file and its type.
"""

import csv
import gzip
import io
import json
import os
import resource
import sys
import tarfile
import zlib

FACTS_LIMIT, DATA_LIMIT, STREAM_LIMIT, HEADER_LIMIT = 64 * 1024, 256 * 1024, 512 * 1024**2, 64 * 1024
ROWS, COLUMNS, WIDTH, TEXT_LIMIT, VALUES = 20, 30, 120, 4000, 200
DELIMITERS = {".csv": ",", ".tsv": "\t"}


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


def beginning_of(fd, name, limit):
    """The first bytes of a file at the archive's top, or in its only folder, and how large the file is."""
    os.lseek(fd, 0, os.SEEK_SET)
    with (
        os.fdopen(os.dup(fd), "rb") as file,
        tarfile.open(fileobj=Counted(gzip.GzipFile(fileobj=file)), mode="r|") as archive,
    ):
        for m in archive:
            archive.members = []
            if sum(len(k) + len(str(v)) for k, v in m.pax_headers.items()) > HEADER_LIMIT:
                raise Refused("broken")
            parts = [part for part in m.name.split("/") if part not in ("", ".")]
            if m.isreg() and [name] in (parts, parts[1:]):
                return archive.extractfile(m).read(limit), m.size
    raise Refused("missing")


def facts_of(text):
    """The plain facts of ``data.txt``: a list keeps its items, what is nested is left out."""
    facts, key = {}, None
    for line in text.splitlines()[:VALUES]:
        if line.startswith(("- ", "  - ")) and isinstance(facts.get(key), list):
            facts[key].append(plain(line.strip()[2:]))
        elif line[:1].isalpha() and ":" in line:
            key, _, value = line.partition(":")
            facts[key] = plain(value) if value.strip() else []
    return {name: value for name, value in facts.items() if value not in ([], "")}


def plain(value):
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return "" if value in ("null", "~", "[]", "{}") else value[:1000]


def table_of(data, delimiter, is_whole):
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff")  # no codec is loaded here any more
    rows = []
    for row in csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter):
        rows.append([cell[:WIDTH] for cell in row[:COLUMNS]])
        if len(rows) > ROWS:
            break
    if not is_whole and len(rows) <= ROWS:
        rows = rows[:-1]  # the last one may be cut
    return rows[: ROWS + 1]


def peek(fd):
    text, _ = beginning_of(fd, "data.txt", FACTS_LIMIT)
    facts = facts_of(text.decode("utf-8", "replace"))
    file = facts.get("file", "")
    name = file[0] if isinstance(file, list) and file else file
    answer = {"facts": facts}
    if not isinstance(name, str) or not name or "/" in name:
        return answer
    ending = os.path.splitext(name)[1].lower()
    if ending in DELIMITERS or ending == ".json":
        data, size = beginning_of(fd, name, DATA_LIMIT)
        if ending == ".json":
            answer["text"] = data[: TEXT_LIMIT * 4].decode("utf-8", "replace")[:TEXT_LIMIT]
            answer["is_cut"] = size > len(answer["text"].encode())
        else:
            answer["rows"] = table_of(data, DELIMITERS[ending], size <= len(data))
    return answer


def main():
    if sys.argv[1] != "-" and os.getuid() == 0:
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    limits = {"AS": 512 * 1024**2, "CPU": 10, "NOFILE": 16, "FSIZE": 0, "CORE": 0}
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    try:
        answer = peek(int(sys.argv[2]))
    except Refused as error:
        answer = {"why": error.args[0]}
    except (tarfile.TarError, csv.Error, EOFError, zlib.error, ValueError, OverflowError, OSError, MemoryError):
        answer = {"why": "broken"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
