"""Asking a control plane as the gateway does, over its unix socket, and how long that takes."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench.company.size import PASSWORD
from pilothouse.gateway import headers

HOST = "localhost:3939"


@dataclass(frozen=True)
class Answer:
    """Milliseconds until the first byte of the answer's body, and until its last one."""

    status: int
    first_ms: float
    took_ms: float
    body: bytes
    cookie: str = ""


#: The server closes a connection on which nothing was asked for 75 s.
IDLE_S = 30


class Asker:
    """One connection, kept open while it is used. Not for several threads."""

    def __init__(self, address: Path, secret: str) -> None:
        self._connection, self._asked_at = _Unix(address), time.monotonic()
        self._fields = {"host": HOST, headers.SECRET: secret, headers.ORIGIN: "dashboard"}

    def get(self, path: str, cookie: str = "", *, keep: bool = True) -> Answer:
        """What the login ``cookie`` is answered; without ``keep`` the body is read and thrown away."""
        return self._ask("GET", path, {"cookie": cookie} if cookie else {}, b"", keep=keep)

    def json(self, path: str, cookie: str) -> object:
        answer = self.get(path, cookie)
        assert answer.status == 200, (path, answer.status, answer.body[:300])
        return json.loads(answer.body)

    def sign_in(self, username: str, address: str) -> Answer:
        """As a browser at this network address does."""
        body = urlencode({"username": username, "password": PASSWORD}).encode()
        fields = {"content-type": "application/x-www-form-urlencoded", headers.CLIENT: address}
        return self._ask("POST", "/__login__", fields, body)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, fields: dict[str, str], body: bytes, *, keep: bool = True) -> Answer:
        if time.monotonic() - self._asked_at > IDLE_S:
            self._connection.close()  # the server is about to; the next request opens it again
        self._asked_at = time.monotonic()
        began = time.perf_counter()
        self._connection.request(method, path, body or None, self._fields | fields)
        answer = self._connection.getresponse()
        parts = [answer.read(1)]
        first = time.perf_counter()
        while part := answer.read(1 << 16):
            parts.append(part if keep else b"")
        ended = time.perf_counter()
        cookie = "; ".join(value.partition(";")[0] for value in answer.headers.get_all("set-cookie", []))
        return Answer(answer.status, (first - began) * 1000, (ended - began) * 1000, b"".join(parts), cookie)


class _Unix(http.client.HTTPConnection):
    def __init__(self, address: Path) -> None:
        super().__init__("localhost", timeout=120)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._address))
