"""A whole Pilothouse on free ports: the real `pilothouse serve`, and the unmodified publishing client against it."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilothouse.launcher.backends.local.packetfilter import PacketFilter
from pilothouse.testing.postgres import PostgresServer

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[2] / "examples"
READY_S = 60.0


@dataclass
class Installation:
    """One installation in a folder of its own. ``settings`` are lines of TOML.

    Each has users of its own, as several on one machine must: the packet filter of one knows the other's jobs by them.
    """

    root: Path
    port: int
    settings: str = ""
    db_url: str | None = None
    bootstrap: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    key: str = ""
    uid_base: int = field(default_factory=lambda: 200_000 + 10_000 * secrets.randbelow(100_000))
    server: subprocess.Popen[bytes] | None = None
    bin: Path = BIN

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def server_uid(self) -> int:
        """Whom the control plane runs as, where a runner starts jobs for it."""
        return self.uid_base - 2

    @property
    def gateway_uid(self) -> int:
        return self.uid_base - 1

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def content_url(self) -> str:
        return f"http://localhost:{self.port + 1}"

    def start(self, *, wait: bool = True) -> None:
        """Start `pilothouse serve`; adopt what an earlier one left running."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "pilothouse.toml").write_text(self.settings)
        command = [
            str(self.bin / "pilothouse"),
            "serve",
            "--home",
            str(self.home),
            "--port",
            str(self.port),
            "--stop-jobs",
        ]
        with (self.root / "serve.log").open("ab") as log:
            self.server = subprocess.Popen(
                command,
                env=self._variables(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """The server that was started says so: what it adopts answers before it is there to look after it."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.server is None or self.server.poll() is None, self.log()
            try:
                said = json.loads((self.home / "run" / "ready").read_bytes())
                is_ours = self.server is None or said["supervisor"] == self.server.pid
                if is_ours and httpx.get(f"{self.url}/__api__/server_settings", timeout=2).status_code == 200:
                    return
            except (OSError, httpx.HTTPError):
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready in {READY_S} s: {self.log()}")

    def stop(self) -> None:
        """As an administrator would: SIGTERM to the supervisor, which ends jobs as well."""
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            try:  # the control plane, the jobs and Envoy end one after the other, each with its grace
                self.server.wait(90)
            except subprocess.TimeoutExpired:
                self.server.kill()
        self.server = None

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self.bin / "pilothouse"), *arguments]
        done = subprocess.run(command, env=self._variables(), text=True, capture_output=True, timeout=120, check=False)
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def rsconnect(
        self, *arguments: str, check: bool = True, timeout: float = 240, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """The unmodified client with a configuration folder of its own."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CONNECT_", "PILOTHOUSE_"))}
        env |= {
            "HOME": str(self.root / "client"),
            "XDG_CONFIG_HOME": str(self.root / "client" / ".config"),
            "NO_COLOR": "1",
        } | variables
        command = [str(BIN / "rsconnect"), *arguments]
        done = subprocess.run(
            command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, done.stdout + self.log()
        return done

    def make_administrator(self) -> str:
        """The first administrator, by the client's own bootstrap; returns the API key."""
        done = self.rsconnect("bootstrap", "--server", self.url, "--raw", CONNECT_BOOTSTRAP_SECRETKEY=self.bootstrap)
        self.key = done.stdout.strip().splitlines()[-1].strip()
        return self.key

    def add_person(self, name: str, password: str, *options: str) -> None:
        """A person who can sign in; a viewer unless ``options`` of the command say otherwise."""
        who = ("user", "add", name, "--password", password, "--email", f"{name}@veridia.example")
        self.cli(*who, *options, "--home", str(self.home))

    def deploy(self, verb: str, folder: Path, *arguments: str, check: bool = True, key: str | None = None) -> Deployed:
        done = self.rsconnect(
            "deploy", verb, "--server", self.url, "--api-key", key or self.key, *arguments, str(folder), check=check
        )
        found = re.search(r"/content/([0-9a-f-]{36})/", done.stdout) or re.search(r"/apps/([0-9a-f-]{36})", done.stdout)
        return Deployed(done.returncode, done.stdout, found[1] if found else "")

    def api(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """One call of the publishing protocol (``v1/…``)."""
        headers = {"Authorization": f"Key {key or self.key}"} | options.pop("headers", {})
        return httpx.request(method, f"{self.url}/__api__/{path}", headers=headers, timeout=60, **options)

    def get(self, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Key {key or self.key}"} | options.pop("headers", {})
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=options.pop("timeout", 60), **options)

    def log(self) -> str:
        found = [
            "",
            *(
                p.read_text(errors="replace")[-3000:]
                for p in (self.root / "serve.log", self.home / "logs" / "server.log")
                if p.exists()
            ),
        ]
        return "\n--- log ---\n".join(found)

    def process(self, name: str) -> int:
        """The pid of the ``control-plane``, ``envoy`` or ``runner`` that the supervisor runs now, from its records."""
        marks = {
            "control-plane": f"pilothouse worker --home {self.home}",
            "envoy": f"-c {self.home}/run/",
            "supervisor": f"{self.home}/run/supervisor.json",
            "runner": f"{self.home}/run/runner.json",
        }
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if marks[name] in words and not (name != "supervisor" and "gateway.supervisor" in words):
                    return int(entry.name)
        raise AssertionError(f"no {name} runs{self.log()}")

    def runs(self, name: str) -> int | None:
        """The same, or ``None`` between two of them."""
        try:
            return self.process(name)
        except AssertionError:
            return None

    def left_running(self) -> list[int]:
        """Processes that name this installation's folder in their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                if f"{self.root}/" in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
        return found

    def kill(self, name: str) -> int:
        pid = self.process(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def _variables(self) -> Mapping[str, str]:
        env = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("CONNECT_", "PILOTHOUSE_")) and k != "PYTHONDONTWRITEBYTECODE"
        }
        env["PILOTHOUSE_SERVER__BOOTSTRAP_SECRET"] = self.bootstrap
        env["PILOTHOUSE_LAUNCHER__UID_BASE"] = str(self.uid_base)
        if self.db_url:
            env["PILOTHOUSE_DB__URL"] = self.db_url
        cache = os.environ.get("PILOTHOUSE_TEST_CACHE")
        return env | ({"UV_CACHE_DIR": cache} if cache else {})


@dataclass(frozen=True)
class Deployed:
    """How a deploy of the client ended."""

    code: int
    output: str
    guid: str


def new_installation(settings: str = "", db_url: str | None = None) -> Installation:
    """An installation that is not started yet. Its path is short (unix sockets) and open to jobs of other users."""
    root = Path(tempfile.mkdtemp(prefix="ph", dir="/tmp"))
    root.chmod(0o711)
    return Installation(root, free_port(), settings, db_url)


@contextmanager
def installed(settings: str = "", db_url: str | None = None, bin: Path = BIN) -> Iterator[Installation]:
    """One that is started and has an administrator; it is stopped and removed at the end of the block."""
    made = new_installation(settings, db_url)
    made.bin = bin
    try:
        made.start()
        made.make_administrator()
        yield made
    finally:
        remove(made)


def database_url(request: pytest.FixtureRequest, name: str) -> str | None:
    """A new database of this ``name`` where the fixture's parameter is ``postgresql``; ``None`` is the SQLite file of the home."""
    if request.param != "postgresql":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.execute(f"CREATE DATABASE {name}")
    return server.url(name)


def remove(installation: Installation) -> None:
    """Stop it, even one that failed half-way; its files go in the background, since libraries are many thousands of them."""
    installation.stop()
    for pid in installation.left_running():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if os.geteuid() == 0:
        table = PacketFilter("", installation.home / "jobs", list).table
        subprocess.run(["/usr/sbin/nft", "delete", "table", "inet", table], check=False, capture_output=True)
    subprocess.run(["sh", "-c", 'rm -rf "$0" >/dev/null 2>&1 &', str(installation.root)], check=True)


def free_port() -> int:
    """A port that is free together with the two after it. Every pytest-xdist worker draws from ports of its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    for _ in range(100):
        start = 20_000 + 1_200 * worker + secrets.randbelow(1_197)
        probes = [socket.socket() for _ in range(3)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", start + offset))
            return start
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError("no three free ports in a row")


def project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a small project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def until(what: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """The first true answer of ``what``."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s} s")


def as_json(text: str) -> Any:
    return json.loads(text)
