"""The runner's process: answers one user's requests on a unix socket, a thread for each connection."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pilothouse.base.errors import PilothouseError
from pilothouse.launcher.backends.local.launcher import LocalLauncher
from pilothouse.launcher.backends.local.options import LocalOptions
from pilothouse.launcher.backends.runner import policy, wire
from pilothouse.launcher.contract import JobRefused, Signal
from pilothouse.launcher.runner_plan import RunnerPlan

CONNECTIONS = 64
LINES_AT_ONCE = 200
SCRIPT_S = 900.0
#: A script's first word is the user to become; this one says that it is that user already.
IS_DROPPED = "-"
#: What may be done as nobody: reading archives without leaving anything.
NOBODY = 65_534
#: Whoever owns a folder that was given away lets others see it, or only the server beside it.
MODES = (0o755, 0o770)
PEER = struct.Struct("3i")

Answer = Callable[[dict[str, Any], list[int]], Any]


class Runner:
    """Runs until it is killed; jobs go on. Raises what the local launcher raises for this machine, and ``OSError``."""

    def __init__(self, plan: RunnerPlan) -> None:
        self._plan, self._launcher = plan, LocalLauncher(_local(plan))
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        launcher = self._launcher
        self._answers: dict[str, Answer] = {
            "submit": lambda said, _: wire.said_status(launcher.submit(self._checked(said["spec"]))),
            "status": lambda said, _: wire.said_status(launcher.status(_key(said))),
            "cancel": lambda said, _: launcher.cancel(_key(said)),
            "signal": lambda said, _: launcher.signal(_key(said), Signal(said["signal"])),
            "adopt": lambda *_: {key: wire.said_status(status) for key, status in launcher.adopt().items()},
            "capabilities": lambda *_: asdict(launcher.capabilities()),
            "usage": lambda said, _: asdict(used) if (used := launcher.usage(_key(said))) else None,
            "connections": lambda said, _: launcher.connections(_key(said)),
            "memory": lambda *_: asdict(launcher.memory()),
            "reclaim": lambda said, _: launcher.reclaim(_key(said)),
            "forget": lambda said, _: launcher.forget(_key(said)),
            "guard": lambda *_: launcher.guard(),
            "unguard": lambda *_: launcher.unguard(),
            "give": self._give,
            "script": self._script,
        }

    def run(self) -> None:
        """Answer for ever."""
        with self._listening() as listening:
            while True:
                connection, _ = listening.accept()
                if self._peer(connection) != self._plan.peer or not self._free.acquire(blocking=False):
                    connection.close()
                    continue
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _listening(self) -> socket.socket:
        """It takes the place of an older one in one step, and only the peer's user can connect to it."""
        path = self._plan.socket
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listening.bind(str(draft))
            os.chown(draft, self._plan.peer, self._plan.group, follow_symlinks=False)
        finally:
            os.umask(before)
        listening.listen(CONNECTIONS)
        draft.rename(path)
        return listening

    @staticmethod
    def _peer(connection: socket.socket) -> int:
        uid: int = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))[1]
        return uid

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            try:
                while True:
                    said, files = wire.receive(connection)
                    try:
                        self._answer(connection, said, files)
                    finally:
                        wire.close(files)
            finally:
                self._free.release()

    def _answer(self, connection: socket.socket, said: dict[str, Any], files: list[int]) -> None:
        try:
            if said.get("verb") == "logs":
                self._send_logs(connection, said)
                return
            answer = {"ok": self._answers[str(said.get("verb"))](said, files)}
        except PilothouseError as error:
            answer = {"error": error.code, "message": str(error)}
        except OSError as error:
            answer = {"error": "os", "message": error.strerror or str(error)}
        except Exception as error:  # its words might hold a variable's value
            at = error.__traceback__
            while at is not None and at.tb_next is not None:
                at = at.tb_next
            where = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else ""
            sys.stderr.write(f"{type(error).__name__} at {where} on {str(said.get('verb'))[:20]!r}\n")
            answer = {"error": "mistake", "message": "The runner could not do this. Its log says where."}
        wire.send(connection, answer)

    def _send_logs(self, connection: socket.socket, said: dict[str, Any]) -> None:
        """A frame for every so many lines, and an empty one."""
        lines = []
        for number, line in self._launcher.logs(_key(said), after=int(said["after"]), limit=int(said["limit"])):
            lines.append(wire.said_line(number, line))
            if len(lines) == LINES_AT_ONCE:
                wire.send(connection, {"ok": lines})
                lines = []
        if lines:
            wire.send(connection, {"ok": lines})
        wire.send(connection, {"ok": []})

    def _checked(self, said: Any) -> Any:
        spec = wire.spec_of(said)
        policy.check(spec, self._plan)
        return spec

    def _give(self, said: dict[str, Any], files: list[int]) -> None:
        """A folder of the peer's becomes a publisher's; the peer's group keeps what the mode lets it."""
        (folder,) = files
        uid, found = policy.check_uid(said["uid"], self._plan), os.fstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (self._plan.peer, uid) or said["mode"] not in MODES:
            raise JobRefused("Only a folder of the server's own can be given to a publisher's user.")
        os.fchown(folder, uid, self._plan.group)
        os.fchmod(folder, said["mode"])

    def _script(self, said: dict[str, Any], files: list[int]) -> list[Any] | None:
        """One of the planned scripts runs as a publisher's user, or nobody, with the files that came. ``None``: it took too long."""
        uid = said["uid"] if said["uid"] == NOBODY else policy.check_uid(said["uid"], self._plan)
        script = self._plan.scripts.get(str(said["name"]))
        if script is None:
            raise JobRefused("The runner has no script of this name.")
        given = dict(zip(wire.FILE_WORDS, map(str, files), strict=False))
        words = [given.get(word, word) for word in map(str, said["words"])]
        try:
            done = _run_as(uid, [str(script), IS_DROPPED, *words], files, min(float(said["timeout_s"]), SCRIPT_S))
        except subprocess.TimeoutExpired:
            return None
        return [done.returncode, done.stdout.decode(errors="replace")]


def _run_as(
    uid: int, words: Sequence[str], files: Sequence[int], timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-S", *words],
        pass_fds=files,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        timeout=timeout_s,
        check=False,
        user=uid,
        group=uid,
        extra_groups=[],
    )


def _local(plan: RunnerPlan) -> LocalOptions:
    return LocalOptions(
        jobs=plan.jobs,
        sandbox=plan.sandbox,
        packet_filter=plan.packet_filter,
        clients=plan.clients,
        readable_paths=plan.readable_paths,
        log_size=plan.log_size,
        log_files=plan.log_files,
    )


def _key(said: dict[str, Any]) -> str:
    return str(said["id"])
