"""One running program: started here, or by an earlier supervisor and found again.

A process is the one we know if pid, start time and boot all agree; a pid alone may have been given to another.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.gateway.supervisor.plan import Program

#: The first is set by developers' shells and slows every start of Python programs; the second is between systemd and us.
SCRUBBED = ("PYTHONDONTWRITEBYTECODE", "NOTIFY_SOCKET")


@dataclass
class Process:
    """A live process. ``pidfd`` becomes readable when it ends. ``fd`` is its number for the listening socket, or -1.

    ``started`` counts in ticks from boot and names the process; ``since`` is the same moment for people and logs.
    """

    pid: int
    started: int
    boot: str
    digest: str
    ready_socket: str
    fd: int
    pidfd: int
    child: subprocess.Popen[bytes] | None = None
    since: float = 0.0

    def record(self) -> dict[str, Any]:
        """What `adopt` needs to find it again."""
        names = ("pid", "started", "boot", "digest", "ready_socket", "fd", "since")
        return {name: getattr(self, name) for name in names}

    def is_alive(self) -> bool:
        return start_time(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; an ended process is no error, and never another process of the same pid."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(self.pidfd, number)

    def forget(self) -> str:
        """Reap it and give its descriptors back, after it ended. How it ended, for people."""
        os.close(self.pidfd)
        if self.child is None:
            return "it was started by an earlier supervisor, so its exit code is not known"
        code = self.child.wait()
        return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def spawn(program: Program, *, log: Path, fd: int = -1) -> Process:
    """Start a program in a session of its own: it does not die with us. Raises ``OSError`` if it can't be started."""
    inherited = {k: v for k, v in os.environ.items() if k not in SCRUBBED} if program.inherits else {}
    identity = identity_of(program)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640), "ab") as output:
        child = subprocess.Popen(
            [word.replace("{fd}", str(fd)) for word in program.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**inherited, **program.env},
            cwd=program.cwd,
            umask=program.umask,
            pass_fds=(fd,) if fd >= 0 else (),
            start_new_session=True,
            **identity,
        )
    try:
        pidfd = os.pidfd_open(child.pid)
    except OSError:  # no descriptor left: better none than one that nobody watches
        child.kill()
        child.wait()
        raise
    started = start_time(child.pid) or 0
    return Process(child.pid, started, boot_id(), program.digest, program.ready_socket, fd, pidfd, child, time.time())


def identity_of(program: Program) -> dict[str, Any]:
    """What `subprocess` needs to run something as the program's user, in no other groups than its own."""
    if program.uid is None:
        return {} if program.gid is None else {"group": program.gid}
    return {
        "user": program.uid,
        "group": program.uid if program.gid is None else program.gid,
        "extra_groups": program.groups,
    }


def adopt(record: dict[str, Any]) -> Process | None:
    """The process of a record, if it still lives."""
    with contextlib.suppress(OSError, TypeError, KeyError):
        pidfd = os.pidfd_open(record["pid"])
        found = Process(**record, pidfd=pidfd)
        if found.boot == boot_id() and found.is_alive():
            return found
        os.close(pidfd)
    return None


def raise_file_limit(process: Process) -> None:
    """Let it hold as many connections as the machine allows. Programs that use ``select`` would suffer, so it is not inherited."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of ``pid``; ``None`` when it has ended, reaped or not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
