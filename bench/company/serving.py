"""A control plane in a process of its own, composed and served as it is for real, behind a unix socket instead of a gateway."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.company.asking import Asker
from pilothouse.app.control_plane import run
from pilothouse.app.house import build, sinks_of
from pilothouse.audit.models import Seal, Told
from pilothouse.gateway.serving import door_secret
from pilothouse.settings import Loaded, load

START_S = 300


@dataclass(frozen=True)
class Server:
    """A control plane that answers at ``address``, and its process."""

    home: Path
    address: Path
    pid: int

    def asker(self) -> Asker:
        return Asker(self.address, door_secret(self.home / "keys"))

    def resident(self) -> int:
        """Bytes of memory it holds now."""
        return self._kilobytes("VmRSS") * 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most it held since `forget_peak`."""
        return self._kilobytes("VmHWM") * 1024

    def settle(self) -> None:
        """Return when it has done what a start brings with it, such as removing old tasks: it is idle for two seconds."""
        deadline, before = time.monotonic() + START_S, self._busy_s()
        while time.monotonic() < deadline:
            time.sleep(2)
            now = self._busy_s()
            if now - before < 0.3:
                return
            before = now
        raise RuntimeError("the control plane did not come to rest")

    def _busy_s(self) -> float:
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _kilobytes(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])


@contextmanager
def served(home: Path, url: str) -> Iterator[Server]:
    """One on the database ``url``, with ``home`` for its keys and its socket."""
    address = home / "control.sock"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "bench.company.serving", str(home), url]
    process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL)
    try:
        server = Server(home, address, process.pid)
        _wait_for(server, process)
        server.settle()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(server.address)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the control plane did not start")


def main(home: Path, url: str) -> None:
    flags: dict[str, Any] = {"db.url": url, "launcher.backend": "memory", "content.requests_per_minute_per_key": 0}
    loaded = load(home, variables={}, flags=flags)
    _tell(loaded)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home / "control.sock"))
        listening.listen(2048)
        run(loaded, fd=listening.fileno())


def _tell(loaded: Loaded) -> None:
    """The sinks have heard of the whole trail: telling them of a year of events is not what is measured."""
    house = build(loaded)
    with house.database.write() as tx:
        newest = tx.scalar(select(func.max(Seal.number))) or 0
        tx.add_all(Told(sink=name, number=newest) for name in sinks_of(loaded))
    house.database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
