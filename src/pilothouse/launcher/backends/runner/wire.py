"""What goes over the socket: frames of JSON with their length before them, and open files beside them."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from pilothouse.launcher.contract import (
    Capabilities,
    JobRefused,
    JobSpec,
    JobState,
    JobStatus,
    LogLine,
    MachineMemory,
    Mount,
    Resources,
    Usage,
)

HEADER = struct.Struct(">I")
FRAME_LIMIT = 16 * 1024 * 1024
FILES_LIMIT = 4
#: In the words of a script, ``{0}`` stands for the first open file that came with them.
FILE_WORDS = tuple(f"{{{number}}}" for number in range(FILES_LIMIT))


class Gone(OSError):
    """The other side has closed the connection, or does not speak this protocol."""


def send(connection: socket.socket, document: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """One frame. Raises ``OSError``."""
    body = json.dumps(document).encode()
    if len(body) > FRAME_LIMIT:
        raise JobRefused("The request is too large for the runner: shorten the variables or the command.")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    sent = connection.sendmsg([HEADER.pack(len(body)), body], rights)
    if sent < HEADER.size + len(body):
        connection.sendall((HEADER.pack(len(body)) + body)[sent:])


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """One frame and the files beside it, which the caller must close. Raises `Gone`, ``OSError``."""
    size = array.array("i").itemsize * FILES_LIMIT
    head, rights, flags, _ = connection.recvmsg(HEADER.size, socket.CMSG_SPACE(size), socket.MSG_CMSG_CLOEXEC)
    files = _files(rights)
    try:
        if flags & socket.MSG_CTRUNC:
            raise Gone("too many files")
        (length,) = HEADER.unpack(head + _exactly(connection, HEADER.size - len(head)))
        if length > FRAME_LIMIT:
            raise Gone("the frame is too long")
        document = json.loads(_exactly(connection, length))
        if not isinstance(document, dict):
            raise Gone("the frame holds no object")
    except BaseException as error:
        close(files)
        if isinstance(error, ValueError):
            raise Gone("the frame is no JSON") from None
        raise
    return document, files


def close(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)


def _files(rights: Sequence[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts, missing = [], length
    while missing:
        part = connection.recv(min(missing, 1024 * 1024))
        if not part:
            raise Gone("the connection was closed")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def said_spec(spec: JobSpec) -> dict[str, Any]:
    """A spec as JSON values."""
    return {**asdict(spec), "grace": spec.grace.total_seconds()}


def spec_of(said: Any) -> JobSpec:
    """The spec in a request, every part of it of its own type: root writes numbers from it into control groups.

    Raises `JobRefused`.
    """
    try:
        return JobSpec(
            id=_text(said["id"]),
            argv=tuple(_text(word) for word in _list(said["argv"])),
            env={_text(name): _text(value) for name, value in said["env"].items()},
            cwd=_text(said["cwd"]),
            mounts=tuple(
                Mount(_text(mount["source"]), _text(mount["target"]), _truth(mount["writable"]))
                for mount in _list(said["mounts"])
            ),
            uid=_count(said["uid"]),
            gid=_count(said["gid"]),
            load_group=_text(said["load_group"]),
            resources=_resources(said["resources"]),
            listens=_truth(said["listens"]),
            network=_truth(said["network"]),
            labels={_text(name): _text(value) for name, value in said["labels"].items()},
            grace=timedelta(seconds=float(said["grace"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise JobRefused("The runner can't read this job. Restart the server, so that all its parts are of one version.") from None  # fmt: skip


def _resources(said: Mapping[str, Any]) -> Resources:
    counts = ("memory_request", "memory_limit", "processes_limit", "gpus")
    found: dict[str, Any] = {name: _count(said[name]) for name in counts}
    for name in ("cpu_request", "cpu_limit"):
        found[name] = None if said[name] is None else float(_number(said[name]))
    return Resources(**found)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    value.encode()  # half of a surrogate pair is no text
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**62:
        raise TypeError
    return value


def _count(value: Any) -> Any:
    if value is not None and not isinstance(_number(value), int):
        raise TypeError
    return value


def said_status(status: JobStatus) -> dict[str, Any]:
    """A status as JSON values."""
    return {name: _plain(getattr(status, name)) for name in _STATUS}


def status_of(said: Mapping[str, Any]) -> JobStatus:
    """The status in an answer."""
    moments = {name: datetime.fromisoformat(said[name]) if said[name] else None for name in ("started_at", "ended_at")}
    return JobStatus(**{**said, **moments, "state": JobState(said["state"])})


def said_line(number: int, line: LogLine) -> list[Any]:
    """A line of a log as JSON values."""
    return [number, line.at.isoformat(), line.stream, line.text]


def line_of(said: Sequence[Any]) -> tuple[int, LogLine]:
    """The numbered line in an answer."""
    return said[0], LogLine(datetime.fromisoformat(said[1]), said[2], said[3])


def capabilities_of(said: Mapping[str, Any]) -> Capabilities:
    """The capabilities in an answer."""
    return Capabilities(**{**said, "facts": tuple(said["facts"]), "weak": tuple(said["weak"])})


def usage_of(said: Mapping[str, Any] | None) -> Usage | None:
    """The use in an answer."""
    return Usage(**said) if said is not None else None


def memory_of(said: Mapping[str, Any]) -> MachineMemory:
    """The memory in an answer."""
    return MachineMemory(**said)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_STATUS = tuple(field.name for field in fields(JobStatus))
