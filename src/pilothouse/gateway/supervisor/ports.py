"""Are our ports free? Asked before anything starts, because a second Envoy would share a port in silence."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable
from pathlib import Path

LISTENING = "0A"


class PortTaken(Exception):
    """A port is in use. The message names it and, where the system tells, its holder."""


def check(ports: Iterable[tuple[str, int]], *, ours: Collection[int] = ()) -> None:
    """Raise `PortTaken` unless each can be bound, or is held by one of the processes ``ours``."""
    for host, port in ports:
        reason = _refusal(host, port)
        if reason is None:
            continue
        pid = holder(port)
        if pid is not None and pid in ours:
            continue
        raise PortTaken(_sentence(host, port, reason, pid))


def holder(port: int) -> int | None:
    """The process that listens on ``port``, if the system lets us see it."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for name in os.listdir("/proc") if wanted else []:
        if not name.isdigit():
            continue
        try:
            descriptors = os.listdir(f"/proc/{name}/fd")
            if any(os.readlink(f"/proc/{name}/fd/{fd}") in wanted for fd in descriptors):
                return int(name)
        except OSError:
            continue
    return None


def _refusal(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger don't matter
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _sentence(host: str, port: int, reason: OSError, pid: int | None) -> str:
    if reason.errno in (13, 1):
        return f"Port {port} needs more rights than this user has. Choose one above 1023 with --port."
    if reason.errno == 99:
        return f"This machine has no address {host}. Choose another with --host."
    if reason.errno != 98:
        return f"Port {port} on {host} can't be used: {reason.strerror}. Choose another with --port."
    who = "another program"
    if pid is not None:
        try:
            who = f"{Path(f'/proc/{pid}/comm').read_text().strip()} (process {pid})"
        except OSError:
            who = f"process {pid}"
    return f"Port {port} on {host} is in use by {who}. Stop it, or choose another port with --port."
