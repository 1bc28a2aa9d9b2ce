"""The control plane's listening socket: made once, passed on, and taken back from the control plane by a new supervisor."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from pilothouse.gateway.supervisor.process import Process

LONGEST_PATH = 107
#: Callers that may wait while the control plane restarts.
BACKLOG = 4096
#: pidfd_getfd(2); the number is the same on every architecture we run on.
PIDFD_GETFD = 438


class SocketUnusable(Exception):
    """The socket can't be made. The message says why and what to do."""


def bind(path: Path, *, also: int | None = None) -> socket.socket:
    """A listening socket at ``path``, for our own user only, and group ``also``. It takes the place of an older one in one step."""
    draft = path.with_suffix(".new")
    if len(os.fsencode(draft)) > LONGEST_PATH:
        raise SocketUnusable(
            f"The path {path} is too long for a socket (107 bytes). Choose a home with a shorter path."
        )
    draft.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listening.bind(str(draft))
        share(draft, also)
        listening.listen(BACKLOG)
        draft.rename(path)
    except OSError as error:
        listening.close()
        raise SocketUnusable(f"The socket {path} can't be made: {error.strerror}.") from error
    finally:
        os.umask(before)
    return listening


def share(path: Path, group: int | None) -> None:
    """Let ``group`` connect to the socket at ``path``, if there is one; also one that an earlier version bound."""
    if group is not None and path.exists():
        os.chown(path, -1, group)
        path.chmod(0o660)


def take_back(process: Process) -> socket.socket | None:
    """The listening socket that ``process`` was given, or ``None`` where the system forbids to take it.

    It is forbidden where ptrace is limited to descendants (Yama, scope 1 and more) unless we are root. Then a new socket
    is bound when one is needed: nothing is lost but requests that wait in the old one while the control plane is dead.
    """
    import ctypes  # only needed after a crash, and not small

    if process.fd < 0:
        return None
    number = ctypes.CDLL(None).syscall(PIDFD_GETFD, process.pidfd, process.fd, 0)
    if number < 0:
        return None
    os.set_inheritable(number, False)
    try:
        found = socket.socket(fileno=number)
    except OSError:  # a number that means something else there
        os.close(number)
        return None
    if found.family == socket.AF_UNIX and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return found
    found.close()
    return None


class Probe:
    """Asks a program by HTTP on a unix socket whether it is ready, without ever waiting for the answer.

    Without a ``request`` it is enough that the program listens.
    """

    def __init__(self, path: str, request: str, *, method: str = "GET") -> None:
        self._path, self._asks = path, bool(request)
        self._request = (
            f"{method} {request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        self._socket: socket.socket | None = None
        self._answer = b""

    def status(self) -> int | None:
        """The status of the answer, when it has come. Asks again after a failure or an answer of 500 and above."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                self._socket.connect(self._path)
                if not self._asks:
                    self.close()
                    return 200
                self._socket.send(self._request.encode())
            received = self._socket.recv(65536)
        except BlockingIOError:
            return None
        except OSError:
            self.close()
            return None
        if not received:
            self.close()
            return None
        self._answer += received
        word = self._answer[:12].partition(b" ")[2]
        status = int(word) if word.isdigit() and len(word) == 3 else None
        if status is not None:
            self.close()
        return status

    def is_ready(self) -> bool:
        status = self.status()
        return status is not None and status < 500

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.close()
        self._socket, self._answer = None, b""


def ask(path: str, request: str, *, method: str = "GET", timeout_s: float = 1.0) -> str:
    """One short exchange with Envoy's admin socket; empty when it does not answer."""
    text = f"{method} {request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answer = b""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(path)
        connection.sendall(text.encode())
        while data := connection.recv(65536):
            answer += data
    return answer.decode(errors="replace")
