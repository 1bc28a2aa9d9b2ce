"""The launcher of a server that is not root: it asks the runner, which is."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pilothouse.base.errors import PilothouseError
from pilothouse.launcher.backends.runner import wire
from pilothouse.launcher.contract import (
    Capabilities,
    JobRefused,
    JobSpec,
    JobStatus,
    JobUnknown,
    LauncherDown,
    LogLine,
    MachineMemory,
    Signal,
    SignalRefused,
    Usage,
)
from pilothouse.launcher.runner_plan import SOCKET
from pilothouse.settings.options import Launcher as LauncherOptions

#: A runner that ends is started again within a second; whoever asks meanwhile waits.
PATIENCE_S, AGAIN_S = 5.0, 0.05
ANSWER_S = 60.0
KEPT = 8
ERRORS: dict[str, type[PilothouseError]] = {
    error.code: error for error in (JobRefused, JobUnknown, LauncherDown, SignalRefused)
}


_Socket = socket.socket


class RunnerLauncher:
    """Asks the runner at ``socket``. Making one asks nothing; `LauncherDown` is raised while no runner answers for some seconds."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._idle = list[_Socket]()
        self._found: Capabilities | None = None

    @classmethod
    def from_settings(cls, home: Path, options: LauncherOptions) -> RunnerLauncher:
        """The launcher of the installation at ``home``."""
        return cls(home / SOCKET)

    def submit(self, spec: JobSpec) -> JobStatus:
        return wire.status_of(self._ask("submit", spec=wire.said_spec(spec)))

    def status(self, job_id: str) -> JobStatus:
        return wire.status_of(self._ask("status", id=job_id))

    def cancel(self, job_id: str) -> None:
        self._ask("cancel", id=job_id)

    def signal(self, job_id: str, signal: Signal) -> None:
        self._ask("signal", id=job_id, signal=signal.value)

    def logs(self, job_id: str, *, after: int = 0, limit: int = 10_000) -> Iterator[tuple[int, LogLine]]:
        connection, lines = self._asked({"verb": "logs", "id": job_id, "after": after, "limit": limit}, ())
        return self._lines(connection, lines)

    def adopt(self) -> dict[str, JobStatus]:
        return {key: wire.status_of(said) for key, said in self._ask("adopt").items()}

    def capabilities(self) -> Capabilities:
        if self._found is None:
            self._found = wire.capabilities_of(self._ask("capabilities"))
        return self._found

    def usage(self, job_id: str) -> Usage | None:
        return wire.usage_of(self._ask("usage", id=job_id))

    def connections(self, job_id: str) -> int:
        return int(self._ask("connections", id=job_id))

    def memory(self) -> MachineMemory:
        return wire.memory_of(self._ask("memory"))

    def reclaim(self, job_id: str) -> int:
        return int(self._ask("reclaim", id=job_id))

    def forget(self, job_id: str) -> None:
        self._ask("forget", id=job_id)

    def guard(self) -> None:
        self._ask("guard")

    def unguard(self) -> None:
        self._ask("unguard")

    def give(self, folder: int, uid: int, *, mode: int) -> None:
        """The open ``folder``, ours, belongs to user ``uid`` from now on; our group keeps what ``mode`` lets it. Raises `JobRefused`."""
        self._ask("give", (folder,), uid=uid, mode=mode)

    def run(
        self, script: str, words: Sequence[str], *, files: Sequence[int], uid: int, timeout_s: float
    ) -> tuple[int, str] | None:
        """The exit code and output of one of the runner's scripts, run as ``uid``; ``None`` if it took too long.

        ``{0}`` in ``words`` stands for the first of ``files``, which are open to it. It is not tried twice: `LauncherDown` may
        mean that it ran.
        """
        said = {"verb": "script", "name": script, "words": list(words), "uid": uid, "timeout_s": timeout_s}
        with self._connected() as connection:
            connection.settimeout(timeout_s + ANSWER_S)
            try:
                done = self._answer(connection, said, files)
            except OSError as error:
                raise LauncherDown from error
        return (int(done[0]), str(done[1])) if done is not None else None

    def _ask(self, verb: str, files: Sequence[int] = (), **words: Any) -> Any:
        connection, answer = self._asked({"verb": verb, **words}, files)
        self._keep(connection)
        return answer

    def _asked(self, said: dict[str, Any], files: Sequence[int]) -> tuple[socket.socket, Any]:
        """The answer, and the connection that it came by. Every verb may be repeated, so a lost connection is no failure yet."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            connection = self._kept()
            try:
                connection = connection or self._connect()
                return connection, self._answer(connection, said, files)
            except OSError as error:
                if connection is not None:
                    connection.close()
                if time.monotonic() > deadline:
                    raise LauncherDown from error
                if connection is None:
                    time.sleep(AGAIN_S)
            except PilothouseError:
                if connection is not None:
                    self._keep(connection)
                raise

    def _answer(self, connection: socket.socket, said: dict[str, Any], files: Sequence[int]) -> Any:
        """Raises ``OSError`` where the connection is lost, else what the runner says."""
        wire.send(connection, said, files)
        return _told(wire.receive(connection)[0])

    def _lines(self, connection: socket.socket, said: Any) -> Iterator[tuple[int, LogLine]]:
        """Frames until an empty one; a reader who stops earlier takes the connection along."""
        is_whole = False
        try:
            while said:
                yield from map(wire.line_of, said)
                said = _told(wire.receive(connection)[0])
            is_whole = True
        except OSError as error:
            raise LauncherDown from error
        finally:
            if is_whole:
                self._keep(connection)
            else:
                connection.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_S)
        try:
            connection.connect(str(self._socket))
        except OSError:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        """A connection that is used once, made as soon as a runner is there."""
        self.memory()  # waits for it
        try:
            connection = self._connect()
        except OSError as error:
            raise LauncherDown from error
        with connection:
            yield connection

    def _kept(self) -> socket.socket | None:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return None

    def _keep(self, connection: socket.socket) -> None:
        if len(self._idle) < KEPT:
            self._idle.append(connection)
        else:
            connection.close()


def _told(answer: dict[str, Any]) -> Any:
    if "ok" in answer:
        return answer["ok"]
    code, message = str(answer.get("error")), str(answer.get("message"))
    if code == "os":
        raise OSRefused(message)
    raise ERRORS.get(code, LauncherDown)(message)


class OSRefused(LauncherDown):
    """The runner's system refused. Try again; the runner's log says more."""

    code = "launcher/os-refused"
