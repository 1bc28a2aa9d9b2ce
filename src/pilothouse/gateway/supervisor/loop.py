"""The supervisor's life: lock, ports, sockets, then one loop until a signal ends it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pilothouse.gateway.supervisor import listening, logfiles, ports
from pilothouse.gateway.supervisor.keeper import Keeper
from pilothouse.gateway.supervisor.overlap import OverlappingKeeper
from pilothouse.gateway.supervisor.plan import Plan, PlanUnreadable, read
from pilothouse.gateway.supervisor.process import Process, adopt, identity_of

LOOK_AT_LOGS_S = 5.0
STOP_JOBS_S = 60.0
EMPTYING_S = 0.3
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class AlreadyRunning(Exception):
    """Another supervisor looks after this home. The message names its process."""


class Supervisor:
    """Runs one plan. ``run`` returns the exit code; errors before anything started are raised."""

    def __init__(self, plan_file: Path) -> None:
        self._file = plan_file
        self.plan: Plan = read(plan_file)
        self._run, self._logs = Path(self.plan.run), Path(self.plan.logs)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._listening: socket.socket | None = None
        self._heard: set[int] = set()
        self._said = self._complained = ""
        self._look_at_logs_at = 0.0
        self.control_plane = Keeper(
            "The control plane",
            self.plan.control_plane,
            log=self._logs / "server.log",
            say=self.say,
            fd=self._socket_fd,
        )
        self.envoy = OverlappingKeeper(
            "Envoy", self.plan.envoy, log=self._logs / "gateway.log", say=self.say, drain_s=lambda: self.plan.drain_s
        )
        self.runner = self._runner()
        self._keepers = tuple(keeper for keeper in (self.runner, self.control_plane, self.envoy) if keeper)

    def _runner(self) -> Keeper | None:
        """What stays root for a control plane that is not; without one the control plane starts jobs itself."""
        if self.plan.runner is None:
            return None
        return Keeper("The runner", self.plan.runner, log=self._logs / "runner.log", say=self.say)

    def run(self) -> int:
        with self._lock(), _wakeup() as wakeup:
            (self._run / "ready").unlink(missing_ok=True)
            self._adopt()
            ports.check(self.plan.ports, ours={p.pid for k in self._keepers for p in k.processes()})
            if self._listening is None and self.control_plane.process is None:
                self._listening = self._bind()
            listening.share(Path(self.plan.socket), self.plan.envoy.uid)
            self._make_access_log()
            self._make_kept_logs()
            for number in SIGNALS:
                signal.signal(number, lambda heard, _: self._heard.add(heard))
            self._replace()
            while not self._heard & {signal.SIGTERM, signal.SIGINT}:
                self._step_safely(wakeup)
            self._stop(wakeup)
        return 0

    def say(self, sentence: str) -> None:
        """One line for the operator on stderr, and as JSON in logs/supervisor.log."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        log = self._logs / "supervisor.log"
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{now} {sentence}\n")
            sys.stderr.flush()
        with (
            contextlib.suppress(OSError),
            open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file,
        ):
            file.write(json.dumps({"timestamp": now, "event": sentence}) + "\n")

    def _step_safely(self, wakeup: socket.socket) -> None:
        """A full disk, or a mistake of ours, must not leave the programs unwatched."""
        try:
            self._step(wakeup)
            self._complained = ""
        except Exception as error:
            complaint = (
                f"The supervisor could not do its work ({type(error).__name__}: {error}). It tries again each second."
            )
            if complaint != self._complained:
                self.say(complaint)
            self._complained = complaint
            self._wait(wakeup, 1.0)

    def _step(self, wakeup: socket.socket) -> None:
        if signal.SIGHUP in self._heard:
            self._heard.discard(signal.SIGHUP)
            self._read_again()
        now = time.monotonic()
        wait = min(keeper.step(now) for keeper in self._keepers)
        self._reap_strangers()
        self._remember()
        self._tell_when_ready()
        self._rotate(now)
        self._wait(wakeup, min(wait, LOOK_AT_LOGS_S))

    def _wait(self, wakeup: socket.socket, seconds: float) -> None:
        """Until something happens: a signal, or the end of any of our processes, children or adopted."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        for keeper in self._keepers:
            for process in keeper.processes():
                poll.register(process.pidfd, select.POLLIN)
        poll.poll(max(0, int(seconds * 1000)))
        with contextlib.suppress(BlockingIOError):
            while wakeup.recv(4096):
                pass

    def _adopt(self) -> None:
        known = _read_json(self._run / "processes.json")
        self._adopt_runner(known.get("runner"))
        self.control_plane.adopt(known.get("control_plane"))
        self.envoy.adopt(known.get("envoy"))
        self.envoy.adopt_leavers(known.get("leaving", []), time.monotonic())
        if self.control_plane.process is not None:
            self._listening = listening.take_back(self.control_plane.process)
            if self._listening is None:
                self.say(
                    "The listening socket can't be taken back here (see kernel.yama.ptrace_scope); a new one is made when it is needed."
                )

    def _adopt_runner(self, record: dict[str, Any] | None) -> None:
        if self.runner is not None:
            self.runner.adopt(record)
        elif record and (left := adopt(record)):
            left.signal(signal.SIGTERM)

    def _replace(self) -> None:
        now, running = time.monotonic(), self.control_plane.process
        if running is not None and self._listening is None and running.digest != self.plan.control_plane.digest:
            # New callers wait in the new socket; those that already wait in the old one are still answered.
            self._listening = self._bind()
            time.sleep(EMPTYING_S)
        if self.runner is not None and self.plan.runner is not None:
            self.runner.replace(self.plan.runner, now)
        self.control_plane.replace(self.plan.control_plane, now)
        self.envoy.replace(self.plan.envoy, now)

    def _read_again(self) -> None:
        try:
            plan = read(self._file)
            ports.check(plan.ports, ours={p.pid for k in self._keepers for p in k.processes()})
        except (PlanUnreadable, ports.PortTaken) as error:
            self.say(f"The new plan was not taken over, everything stays as it is. {error}")
            return
        self.plan = plan
        self._replace()

    def _socket_fd(self) -> int:
        if self._listening is None:
            self._listening = self._bind()
        return self._listening.fileno()

    def _bind(self) -> socket.socket:
        return listening.bind(Path(self.plan.socket), also=self.plan.envoy.uid)

    def _remember(self) -> None:
        """Write down what runs, so that a supervisor after us finds it."""
        known: dict[str, Any] = {"format": 1, "supervisor": os.getpid()}
        known["control_plane"] = _record(self.control_plane.process)
        known["runner"] = _record(self.runner.process) if self.runner else None
        known["envoy"] = _record(self.envoy.process)
        known["leaving"] = [process.record() for process in self.envoy.processes() if process is not self.envoy.process]
        text = json.dumps(known, indent=1)
        if text != self._said:
            _write(self._run / "processes.json", text)
            self._said = text

    def _tell_when_ready(self) -> None:
        mark = self._run / "ready"
        if mark.exists() or not all(keeper.is_ready for keeper in self._keepers):
            return
        _write(mark, json.dumps({"supervisor": os.getpid(), "url": self.plan.url}))
        _notify_systemd("READY=1")
        self.say(f"Ready: {self.plan.url}" if self.plan.url else "Ready.")

    def _rotate(self, now: float) -> None:
        if now < self._look_at_logs_at:
            return
        self._look_at_logs_at = now + LOOK_AT_LOGS_S
        self._make_kept_logs()
        size, files = self.plan.log_size, self.plan.log_files
        for name in ("server.log", "gateway.log", "runner.log", "supervisor.log"):
            if logfiles.is_over(self._logs / name, size):
                logfiles.cut(self._logs / name, files=files)
        if self.plan.access_log and logfiles.is_over(Path(self.plan.access_log), size):
            logfiles.put_aside(Path(self.plan.access_log), files=files)
            self._make_access_log()
            for process in self.envoy.processes():
                process.signal(signal.SIGUSR1)

    def _make_access_log(self) -> None:
        if self.plan.access_log:
            reader = next(iter(self.plan.control_plane.groups), None)
            logfiles.make(Path(self.plan.access_log), self.plan.envoy.uid, reader)

    def _make_kept_logs(self) -> None:
        """Whoever moves one away gets a new one."""
        for name in self.plan.kept_logs:
            logfiles.make(Path(name), self.plan.control_plane.uid, self.plan.control_plane.gid)

    def _stop(self, wakeup: socket.socket) -> None:
        """The control plane first, so that requests still find Envoy; a second signal kills."""
        _notify_systemd("STOPPING=1")
        self.say("Stopping." if self.plan.stop_jobs else "Stopping. Jobs go on; the next start finds them again.")
        self._heard.clear()
        (self._run / "ready").unlink(missing_ok=True)
        if self._listening is not None:
            self._listening.close()
        self._end(self.control_plane, wakeup)
        if self.plan.stop_jobs:
            self._stop_jobs()
        self._end(self.envoy, wakeup)
        if self.runner is not None:
            self._end(self.runner, wakeup)
        for name in (self._run / "processes.json", self.plan.socket, self.plan.envoy.ready_socket):
            Path(name).unlink(missing_ok=True)

    def _end(self, keeper: Keeper, wakeup: socket.socket) -> None:
        keeper.stop(time.monotonic())
        while keeper.processes():
            if self._heard & {signal.SIGTERM, signal.SIGINT}:
                for process in keeper.processes():
                    process.signal(signal.SIGKILL)
            wait = keeper.step(time.monotonic())
            if keeper.processes():
                self._wait(wakeup, min(wait, 1.0))

    def _stop_jobs(self) -> None:
        try:
            identity = identity_of(self.plan.control_plane)
            subprocess.run(self.plan.stop_jobs, timeout=STOP_JOBS_S, check=True, stdin=subprocess.DEVNULL, **identity)
        except (OSError, subprocess.SubprocessError) as error:
            self.say(f"Not all jobs could be stopped: {error}")

    def _reap_strangers(self) -> None:
        """As the first process of a container we inherit orphans; nobody else takes their exit codes."""
        if os.getpid() != 1:
            return
        ours = {process.pid for keeper in self._keepers for process in keeper.processes()}
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in ours:
                    return
                os.waitpid(ended.si_pid, os.WNOHANG)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One supervisor for each home. The lock goes with our process, however it ends."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._run / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(file, 20, 0).decode().strip() or "unknown"
            os.close(file)
            raise AlreadyRunning(
                f"Pilothouse runs already on this home (process {pid}). Stop it first, or use another --home."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            os.close(file)


@contextlib.contextmanager
def _wakeup() -> Iterator[socket.socket]:
    """A socket that becomes readable when a signal arrives."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(before)


def _record(process: Process | None) -> dict[str, Any] | None:
    return process.record() if process else None


def _read_json(file: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        document = json.loads(file.read_bytes())
        if isinstance(document, dict) and document.get("format") == 1:
            return document
    return {}


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text)
    draft.chmod(0o644)  # the control plane reads it, whoever that is
    draft.replace(file)


def _notify_systemd(state: str) -> None:
    """Tell systemd (``Type=notify``), when it started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
