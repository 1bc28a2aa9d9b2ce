"""Addresses of listening jobs: each its own one of 127.64.0.0/10, so that none is used again for millions of jobs."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import random
import socket
from pathlib import Path
from typing import TextIO

from pilothouse.launcher.contract import LauncherDown

POOL = ipaddress.ip_network("127.64.0.0/10")
PORTS = (20_000, 32_000)
ATTEMPTS = 50
#: Digits of the counter: one of the same length is written over it.
WIDTH = 10


def take(jobs: Path) -> str:
    """The next ``ip:port`` that is free now. The counter lives in ``jobs/next-address``, so a restart goes on where it was.

    It is written in one piece, so that who is killed meanwhile does not set it back: addresses of jobs that ended just now
    are closed. A new counter begins anywhere, since several homes share the pool.
    """
    with private(jobs / "next-address") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = os.pread(file.fileno(), WIDTH, 0)
        number = int(text) if text.isdigit() else random.randrange(POOL.num_addresses)  # noqa: S311 - no secret
        for _ in range(ATTEMPTS):
            number = number % (POOL.num_addresses - 2) + 1
            host, port = str(POOL[number]), random.randint(*PORTS)  # noqa: S311 - no secret: merely spreads two homes apart
            if _is_free(host, port):
                os.pwrite(file.fileno(), f"{number:0{WIDTH}}".encode(), 0)
                return f"{host}:{port}"
    raise LauncherDown(
        "No free address was found for the job. Look for programs that listen on all addresses of this machine."
    )


def private(path: Path) -> TextIO:
    """Open a file that others must not even read: who can open a file can lock it, and let us wait for ever."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "r+")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
