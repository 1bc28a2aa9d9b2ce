"""Jobs as plain child processes of this one: no sandbox, no limits, nothing survives us. For tests; keeps the same contract."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pilothouse.base import clock
from pilothouse.launcher.backends.local.connections import established
from pilothouse.launcher.contract import (
    FINAL,
    Capabilities,
    JobSpec,
    JobState,
    JobStatus,
    JobUnknown,
    LogLine,
    Signal,
    SignalRefused,
)

if TYPE_CHECKING:
    from pilothouse.settings.options import Launcher as LauncherOptions

LINGER_S = 0.5


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    status: JobStatus
    lines: list[LogLine] = field(default_factory=list)


class MemoryLauncher:
    """Keeps everything in memory. Several instances may share ``store``: that is how "adopt" is tried."""

    def __init__(self, store: dict[str, _Running] | None = None) -> None:
        self.store = {} if store is None else store
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, home: Path, options: LauncherOptions) -> MemoryLauncher:
        """One with nothing in it, whatever the settings say."""
        return cls()

    def submit(self, spec: JobSpec) -> JobStatus:
        with self._lock:
            if spec.id in self.store:
                return self.status(spec.id)
            host, port = "127.0.0.1", _free_port()
            words = [w.replace("{host}", host).replace("{port}", str(port)) if spec.listens else w for w in spec.argv]
            env = {k: v.replace("{host}", host).replace("{port}", str(port)) for k, v in spec.env.items()}
            process = subprocess.Popen(
                words,
                env=env,
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            address = f"{host}:{port}" if spec.listens else None
            status = JobStatus(
                spec.id, JobState.RUNNING, address, node="memory", pid=process.pid, started_at=clock.now()
            )
            running = self.store[spec.id] = _Running(process, status)
        readers = [
            threading.Thread(target=_read, args=(running, stream), daemon=True) for stream in ("stdout", "stderr")
        ]
        watcher = threading.Thread(target=_watch, args=(running, spec.grace.total_seconds(), readers), daemon=True)
        for thread in (*readers, watcher):
            thread.start()
        return status

    def status(self, job_id: str) -> JobStatus:
        return self._get(job_id).status

    def cancel(self, job_id: str) -> None:
        running = self._get(job_id)
        if running.status.state in FINAL:
            return
        running.status = replace(running.status, state=JobState.STOPPING, cancelled=True)
        _send(running, signal.SIGCONT)
        _send(running, signal.SIGTERM)

    def signal(self, job_id: str, signal: Signal) -> None:
        running = self._get(job_id)
        if running.status.state not in (JobState.RUNNING, JobState.FROZEN):
            raise SignalRefused(
                f"The job is {running.status.state}; only running jobs freeze and only frozen ones thaw."
            )
        freeze = signal is Signal.FREEZE
        _send(running, _STOP if freeze else _CONTINUE)
        running.status = replace(running.status, state=JobState.FROZEN if freeze else JobState.RUNNING)

    def logs(self, job_id: str, *, after: int = 0, limit: int = 10_000) -> Iterator[tuple[int, LogLine]]:
        lines = list(self._get(job_id).lines)
        yield from list(enumerate(lines, 1))[after : after + limit]

    def adopt(self) -> dict[str, JobStatus]:
        return {key: running.status for key, running in self.store.items()}

    def capabilities(self) -> Capabilities:
        return Capabilities(freezer="sigstop", weak=("Jobs are not isolated or limited: this launcher is for tests.",))

    def connections(self, job_id: str) -> int:
        address = self.status(job_id).address
        return established(address) if address else 0

    def _get(self, job_id: str) -> _Running:
        try:
            return self.store[job_id]
        except KeyError:
            raise JobUnknown(f"The launcher has no job {job_id}.") from None


_STOP, _CONTINUE = signal.SIGSTOP, signal.SIGCONT


def _send(running: _Running, number: signal.Signals) -> None:
    try:
        os.killpg(running.process.pid, number)
    except ProcessLookupError:
        return


def _read(running: _Running, stream: str) -> None:
    pipe = getattr(running.process, stream)
    for raw in pipe:
        running.lines.append(LogLine(clock.now(), stream, raw.rstrip(b"\n").decode(errors="replace")))


def _watch(running: _Running, grace_s: float, readers: list[threading.Thread]) -> None:
    """A job has ended when its last line was read; children that keep its output open are not waited for."""
    while True:
        try:
            code = running.process.wait(0.02)
            break
        except subprocess.TimeoutExpired:
            if running.status.state is not JobState.STOPPING:
                continue
        try:
            code = running.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            _send(running, signal.SIGKILL)
            code = running.process.wait()
        break
    for reader in readers:
        reader.join(LINGER_S)
    code = 128 - code if code < 0 else code
    stopped = running.status.state is JobState.STOPPING
    reason = "It was stopped." if stopped else f"It ended with exit code {code}."
    running.status = replace(running.status, state=JobState.ENDED, exit_code=code, reason=reason, ended_at=clock.now())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
