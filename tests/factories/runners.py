"""A runner in a process of its own, as the supervisor starts it, and its plan."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.factories.source import SOURCE

from pilothouse.launcher import runner_plan
from pilothouse.launcher.backends.runner import wire
from pilothouse.launcher.backends.runner.client import RunnerLauncher
from pilothouse.launcher.runner_plan import RunnerPlan
from pilothouse.storage.custody import SCRIPTS

FIRST_UID = 200_001
READY_S = 20.0
#: Also by an interpreter that our package is not installed for: it needs nothing but the standard library.
BEGIN = f"import sys, runpy; sys.path.insert(0, {str(SOURCE.parent)!r}); runpy.run_module('pilothouse.launcher.backends.runner', run_name='__main__')"


@dataclass
class Runners:
    """A home with a runner for our own user; ``peer`` may name another."""

    home: Path
    plan: RunnerPlan
    interpreter: str = sys.executable
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        file = self.home / "runner.json"
        runner_plan.write(self.plan, file)
        command = [self.interpreter, "-I", "-c", BEGIN, str(file)]
        with (self.home / "runner.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + READY_S
        while not _answers(self.plan.socket):
            assert self.process.poll() is None, (self.home / "runner.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def launcher(self) -> RunnerLauncher:
        return RunnerLauncher(self.plan.socket)

    def ask(self, *files: int, **said: Any) -> Any:
        """What the runner answers to a request that our client would never send."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.plan.socket))
            wire.send(connection, said, files)
            return wire.receive(connection)[0]

    def memory(self) -> int:
        """What its process holds in memory, in bytes."""
        assert self.process is not None
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def running(peer: int | None = None, interpreter: str = sys.executable, **local: Any) -> Iterator[Runners]:
    """One that runs, with a home of folders as an installation's; it ends with the block, and its jobs' folders go."""
    home = Path(tempfile.mkdtemp(prefix="ph-run-", dir="/tmp"))
    home.chmod(0o711)
    for name, mode in (("apps", 0o711), ("libraries", 0o755), ("builds", 0o711), ("keys", 0o700), ("db", 0o700)):
        (home / name).mkdir()
        (home / name).chmod(mode)
    made = RunnerPlan(
        socket=home / "runner.sock",
        peer=os.geteuid() if peer is None else peer,
        group=os.getegid() if peer is None else peer,
        first_uid=FIRST_UID,
        jobs=home / "jobs",
        never=(FIRST_UID - 2, FIRST_UID + 7),
        readable=(home / "apps", home / "libraries"),
        writable=(home / "builds",),
        exact=(Path("/usr/bin/env"),),
        scripts=SCRIPTS,
        **local,
    )
    found = Runners(home, made, interpreter)
    try:
        found.start()
        yield found
    finally:
        with contextlib.suppress(Exception):
            launcher = found.launcher()
            for key in launcher.adopt():
                launcher.cancel(key)
        found.kill()
        shutil.rmtree(home, ignore_errors=True)


def _answers(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False
