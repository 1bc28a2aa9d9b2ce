"""A real Envoy with a stand-in for the control plane (and so the door) and one for an app, on free loopback ports."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import random
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pilothouse.gateway.envoy import EnvoyPlan, GrantPlan, Listener, Origin, Site, config, dashboard
from pilothouse.gateway.envoy.binary import BinaryMissing, find
from pilothouse.settings import Settings

MOUNT = "/content/aaaaaaaa-0000-4000-8000-000000000001/"
GRANTS = GrantPlan("tested", "ph_grant_x", "ph_login_x", {"k1": b"1" * 32, "k2": b"2" * 32})
HOSTS = ("localhost", "127.0.0.1", "pilot.example")


def envoy_or_skip() -> Path:
    """Envoy's path. Without it: a loud skip, or a failure where CI must not pass by skipping."""
    try:
        return find().path
    except BinaryMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(f"NOT EXERCISED, no Envoy: {error}")


def free_ports(count: int) -> list[int]:
    """Ports below those that the system gives to outgoing connections, so that none takes them before their server binds."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randint(12_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return list(found)


@dataclass
class Answer:
    """What a server said; header names in lower case, each with all its values."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def one(self, name: str) -> str:
        (value,) = self.headers[name]
        return value


@dataclass
class Heard:
    """One request as a stand-in received it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    size: int = 0

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


Reply = tuple[int, dict[str, str] | list[tuple[str, str]], bytes]


@dataclass
class Script:
    """A server that answers as ``reply`` says and remembers what it heard. Echoes after a WebSocket handshake.

    A reply with status 0 closes the connection without an answer.
    """

    reply: Callable[[Heard], Reply]
    heard: list[Heard] = field(default_factory=list)

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        return type("Scripted", (_Handler,), {"script": self})


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def log_message(self, *args: object) -> None:
        pass

    def answer(self) -> None:
        heard = Heard(self.command, self.path, self.headers.items())
        self.script.heard.append(heard)
        if self.headers.get("upgrade", "").lower() == "websocket":
            self.echo()
            return
        heard.size = self.drain()
        status, headers, body = self.script.reply(heard)
        if status == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = do_DELETE = answer

    def drain(self) -> int:
        size = len(self.rfile.read(int(self.headers.get("content-length", 0))))
        if self.headers.get("transfer-encoding") == "chunked":
            while part := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(part))
                self.rfile.readline()
            self.rfile.readline()
        return size

    def echo(self) -> None:
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while data := self.connection.recv(4096):
                self.connection.sendall(data)


class _Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


class _Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads, request_queue_size = True, 128


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def app_at(script: Script, host: str | None = None) -> Iterator[str]:
    """An app on an address of the launcher's pool; yields ``ip:port``."""
    host = host or f"127.64.{random.randint(0, 255)}.{random.randint(1, 254)}"
    server = _Tcp((host, 0), script.handler())
    with serving(server):
        yield f"{host}:{server.server_address[1]}"


def describe(heard: Heard) -> Reply:
    """What an app received, as JSON."""
    body = json.dumps(
        {"method": heard.method, "path": heard.path, "headers": heard.headers, "size": heard.size}
    ).encode()
    return 200, {"Content-Type": "application/json"}, body


@dataclass
class Stand:
    """The running thing. ``door`` is what the door answers with (status, headers, body), ``control_plane`` what other paths get."""

    plan: EnvoyPlan
    dashboard: int
    content: int
    session: int
    app: Script
    app_address: str
    process: subprocess.Popen[bytes] | None = None
    door: Callable[[Heard], Reply] = lambda heard: (404, {}, b"nobody's")
    control_plane: Callable[[Heard], Reply] = describe
    asked: list[Heard] = field(default_factory=list)
    reached: list[Heard] = field(default_factory=list)

    def front(self, heard: Heard) -> Reply:
        if heard.path.startswith("/__authz"):
            self.asked.append(heard)
            return self.door(heard)
        self.reached.append(heard)
        return self.control_plane(heard)

    def send_to_app(self, **said: str) -> None:
        """Let the door send everything below `MOUNT` to the app. Names: ``dst``, ``inner``, …; an empty value leaves one out."""
        target = {"to": "app5m", "dst": self.app_address, "mount": MOUNT, "inner": "/", **said}
        headers = {f"x-ph-{name}": value for name, value in target.items() if value}
        self.door = lambda heard: (200, headers, b"")

    def reset(self) -> None:
        self.asked.clear()
        self.reached.clear()
        self.app.heard.clear()
        self.app.reply, self.control_plane = describe, describe
        self.door = lambda heard: (404, {}, b"nobody's")

    def log(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 4) -> dict[str, Any]:
        """The first line of the access log that is ``wanted``; waits for it."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            lines = self.plan.access_log.read_text().splitlines() if self.plan.access_log.exists() else []
            for line in lines:
                if line.endswith("}") and wanted(row := json.loads(line)):
                    return row
            time.sleep(0.05)
        raise AssertionError("no such line in the access log")


Headers = dict[str, str] | list[tuple[str, str]]


def ask(
    port: int,
    path: str,
    headers: Headers | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
    timeout: float = 15,
    source: str = "127.0.0.1",
) -> Answer:
    """One request on a connection of its own, from ``source``, with exactly these headers (and ``Host: localhost:PORT`` unless given)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout, source_address=(source, 0))
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        if not any(name.lower() == "host" for name, _ in pairs):
            connection.putheader("Host", f"localhost:{port}")
        for name, value in pairs:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        found: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            found.setdefault(name.lower(), []).append(value)
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def handshake(
    port: int, path: str, headers: Headers | None = None, *, source: str = "127.0.0.1"
) -> tuple[socket.socket, bytes]:
    """Ask for a WebSocket; the open connection and the first bytes of the answer."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    lines += [f"{name}: {value}" for name, value in pairs]
    connection = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    first = b""
    while b"\r\n\r\n" not in first:
        data = connection.recv(4096)
        if not data:
            break
        first += data
    return connection, first


@contextlib.contextmanager
def running(change: Callable[[dict[str, Any]], None] = lambda document: None, **plans: Any) -> Iterator[Stand]:
    """Envoy with our configuration, changed by ``change`` (shorter timeouts), and its two stand-ins. ``plans`` are fields of the plan.

    The limit for one client is on, and the clients of a test are all one, so that the whole chain is what is tested.
    """
    binary = envoy_or_skip()
    run = Path(tempfile.mkdtemp(prefix="ph-gw-", dir="/tmp"))
    (run / "apps").mkdir()
    ports = free_ports(3)
    app = Script(describe)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, run, ignore_errors=True)
        address = stack.enter_context(app_at(app))
        listeners = (
            Listener(ports[0], (dashboard(HOSTS),)),
            Listener(ports[1], (Site(Origin.CONTENT, HOSTS),)),
            Listener(ports[2], (Site(Origin.SESSION, HOSTS),), keeps_slashes=True),
        )
        plan = EnvoyPlan(
            run=run,
            bind="127.0.0.1",
            listeners=listeners,
            door_secret="the-door-secret",
            access_log=run / "access.log",
            grants=GRANTS,
            files={"apps": run / "apps"},
            stage_paths=("/", "/prod/"),
            requests_per_second=Settings().gateway.requests_per_second,
        )
        plan = replace(plan, **plans)
        stand = Stand(plan, *ports, app=app, app_address=address)
        stack.enter_context(serving(_Unix(str(plan.control_plane_socket), Script(stand.front).handler())))
        stand.process = stack.enter_context(_envoy(binary, plan, change))
        yield stand


@contextlib.contextmanager
def _envoy(
    binary: Path, plan: EnvoyPlan, change: Callable[[dict[str, Any]], None]
) -> Iterator[subprocess.Popen[bytes]]:
    document = config(plan)
    change(document)
    file = plan.run / "envoy.json"
    file.write_text(json.dumps(document))
    argv = [
        str(binary),
        "-c",
        str(file),
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--file-flush-interval-msec",
        "200",
    ]
    with (plan.run / "envoy.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait_for(plan.listeners[-1].port, process, plan.run / "envoy.log")
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("Envoy did not start:\n" + log.read_text()[-3000:])
