"""Addresses of listening jobs: each its own one of 127.64.0.0/10, so that none is used again for millions of jobs."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import random
import socket
import zlib
from pathlib import Path
from typing import TextIO

from pilothouse.launcher.contract import LauncherDown

POOL = ipaddress.ip_network("127.64.0.0/10")
PORTS = (20_000, 32_000)
ATTEMPTS = 50


def take(jobs: Path) -> str:
    """The next ``ip:port`` that is free now. The counter lives in ``jobs/next-address``, so a restart goes on where it was."""
    with private(jobs / "next-address") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read().strip()
        number = int(text) if text.isdigit() else zlib.crc32(str(jobs).encode()) % POOL.num_addresses
        for _ in range(ATTEMPTS):
            number = number % (POOL.num_addresses - 2) + 1
            host, port = str(POOL[number]), random.randint(*PORTS)  # noqa: S311 - no secret: merely spreads two homes apart
            if _is_free(host, port):
                file.seek(0)
                file.truncate()
                file.write(str(number))
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
