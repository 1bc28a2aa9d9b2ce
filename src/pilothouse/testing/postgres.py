"""A PostgreSQL server of the tests' own: unix socket only, as a plain user, gone with the tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

USER = "pilothouse"
#: Safe against the death of the server's processes (``synchronous_commit`` stays on), not against that of the machine.
QUICK = (
    "fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
    "max_wal_size=64MB", "dynamic_shared_memory_type=mmap", "listen_addresses=", "max_connections=60",
)  # fmt: skip
ROOM_BYTES = 1024**3
WAIT_S = 30.0


class PostgresMissing(Exception):
    """There is no PostgreSQL to test with. Install Debian's `postgresql`, or `pgserver` from PyPI."""


class PostgresServer:
    """One server with its data below a folder of its own. ``start`` and ``stop`` may alternate; ``remove`` ends it for good.

    Data in a folder that is given, ``data``, is still there for the next one. Its parents must be open to other users.

    Start it from the thread that lives longest: it ends with the thread that started it, so that a killed test run
    leaves nothing behind.
    """

    def __init__(self, data: Path | None = None) -> None:
        self._bin = _programs()
        self._home = Path(tempfile.mkdtemp(prefix="pilothouse-pg-", dir=_folder()))
        self._data = data or self._home / "data"
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self._home, "nobody", "nogroup")
        if (self._data / "PG_VERSION").exists():
            return
        self._data.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self._data, "nobody", "nogroup")
        self._run("initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        """Return when the server answers."""
        options = [part for setting in (*QUICK, f"unix_socket_directories={self._home}") for part in ("-c", setting)]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_plain_user(), str(self._bin / "postgres"), "-D", str(self._data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
            )
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(
                        f"PostgreSQL did not start: {(self._home / 'log').read_text()[-2000:]}"
                    ) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """End it as a power cut would: connections break, nothing is tidied up."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(WAIT_S)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://{USER}@/{name}?host={self._home}"

    def execute(self, statement: str) -> None:
        """Run one statement in the maintenance database."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_plain_user(), str(self._bin / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=self._home)


def _folder() -> str:
    """In memory where there is room: a new database takes 0.03 s there and 0.3 s on a disk. A socket's path has to be short."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_BYTES
    return str(memory) if has_room else "/tmp"


def _as_plain_user() -> list[str]:
    """PostgreSQL refuses to run as root. The death signal ends it with whoever started it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    other = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    return [setpriv, *other, "--pdeathsig", "QUIT"]


def _programs() -> Path:
    for folder in _candidates():
        probe: Any = subprocess.run(
            [*_as_plain_user(), str(folder / "postgres"), "--version"],
            check=False,
            capture_output=True,
            timeout=20,
            cwd="/",
        )
        if probe.returncode == 0 and (folder / "initdb").exists():
            return folder
    raise PostgresMissing(PostgresMissing.__doc__)


def _candidates() -> Iterator[Path]:
    """Debian's newest, then what is on PATH, then the wheel `pgserver`."""
    debian = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    yield from sorted(debian, key=lambda p: int(p.parent.name), reverse=True)
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).resolve().parent
    if (wheel := importlib.util.find_spec("pgserver")) is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
