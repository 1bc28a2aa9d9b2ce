"""The gateway: requests per second of processor time of an authorized sub-request, beside a bare Envoy and other gateways.

All stand before the same upstream, each with one worker and an access log, and get the same request: a sub-request of a
signed-in browser. Cells are interleaved round by round; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from tests.factories.gateway import GRANTS, HOSTS, MOUNT, free_ports
from tests.factories.grants import SIGNED_IN, cookie, door_words, issued_for

from bench import peers
from bench.peers import Cell, PeerMissing, Server, load, started
from bench.rows import Row, show
from pilothouse.gateway.envoy import EnvoyPlan, Listener, Origin, Site, config

ROUNDS, SECONDS = 5, 1
PATH = f"{MOUNT}data.json?page=2"
ENOUGH = 10_000_000
COUNT = "/how-often"
BROWSER = {
    "Accept": "*/*", "Accept-Language": "en-GB,en;q=0.9", "Referer": "http://localhost/content/", "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Dest": "empty", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140",
}  # fmt: skip
SUB, PAGE = {**BROWSER, "Sec-Fetch-Mode": "cors"}, {**BROWSER, "Sec-Fetch-Mode": "navigate"}
OTHER_COOKIES = "_xsrf=2|5d0b3d0a|8c1f; theme=dark"
FLOOR, TRAEFIK = 0.6, 2.0


def rows() -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ph-bench-", dir="/tmp")))
        ports = free_ports(7)
        stack.enter_context(
            started(peers.envoy(peers.upstream(ports[0]), folder, "upstream"), ports[0], host=peers.UPSTREAM)
        )
        door = stack.enter_context(
            started(peers.python("bench.gateway", str(folder), str(ports[0]), str(ports[1])), ports[1])
        )
        bare = stack.enter_context(
            started(peers.envoy(peers.bare(ports[2], ports[0], folder / "bare.log"), folder, "bare"), ports[2])
        )
        ours = stack.enter_context(started(peers.envoy(config(plan(folder, ports[3])), folder, "ours"), ports[3]))
        others, missing = _others(stack, folder, ports, door)
        yield from _measured(bare, ours, door, others, to=f"{peers.UPSTREAM}:{ports[0]}")
        yield from missing


def plan(folder: Path, port: int) -> EnvoyPlan:
    """One port of content, with everything on that an installation has on; the limit for one client is out of reach."""
    return EnvoyPlan(
        run=folder,
        bind="127.0.0.1",
        listeners=(Listener(port, (Site(Origin.CONTENT, HOSTS),)),),
        door_secret="measured",
        access_log=folder / "ours.log",
        grants=GRANTS,
        files={"apps": folder},
        stage_paths=("/", "/prod/"),
        requests_per_second=ENOUGH,
    )


def _others(
    stack: contextlib.ExitStack, folder: Path, ports: list[int], door: Server
) -> tuple[dict[str, Server], list[Row]]:
    found, missing = dict[str, Server](), list[Row]()
    commands: dict[str, Any] = {
        "Traefik + forwardAuth": lambda: peers.traefik_files(folder, port=ports[4], to=ports[0], door=door.port),
        "configurable-http-proxy, no authorization": lambda: [
            *peers.configurable_http_proxy(), "--ip", "127.0.0.1", "--port", str(ports[5]), "--api-port", str(ports[6]),
            "--default-target", f"http://{peers.UPSTREAM}:{ports[0]}", "--log-level", "error",
        ],
    }  # fmt: skip
    for (name, command), port in zip(commands.items(), ports[4:6], strict=True):
        try:
            found[name] = stack.enter_context(started(command(), port))
        except PeerMissing as why:
            missing.append(Row(name, f"not measured: {why}"))
    return found, missing


def _measured(bare: Server, ours: Server, door: Server, others: dict[str, Server], *, to: str) -> Iterator[Row]:
    cells: dict[str, list[Cell]] = {}

    def measure(name: str, server: Server, headers: dict[str, str], **more: Any) -> None:
        grant = cookie(issued_for(f"127.0.0.1:{ours.port}", to))  # a new one each time: it lives for a minute
        sent = {**headers, "Cookie": f"{OTHER_COOKIES}; {grant}; {SIGNED_IN}"}
        cells.setdefault(name, []).append(load(server, PATH, sent, seconds=SECONDS, **more))

    called = paged = 0
    for _ in range(ROUNDS):
        measure("bare", bare, SUB)
        before = _calls(door)
        measure("ours", ours, SUB)
        measure("alone", ours, SUB, clients=1)
        called += _calls(door) - before
        measure("bare alone", bare, SUB, clients=1)
        before = _calls(door)
        measure("asked", ours, PAGE, also=door.pid)
        paged += _calls(door) - before
        for name, server in others.items():
            measure(name, server, SUB, **({"also": door.pid} if "Traefik" in name else {}))
    ratio = _ratios(cells["ours"], cells["bare"])
    yield Row("authorized sub-request, of a bare Envoy's", _shown(ratio), f"≥ ×{FLOOR}", ratio[0] >= FLOOR)
    yield Row("… calls of Python for all of them", str(called), "0", called == 0)
    each = paged / sum(cell.requests for cell in cells["asked"])
    yield Row("page load: calls of Python for each", f"{each:.3f}", "1", abs(each - 1) < 0.01)
    for name in others:
        ratio = _ratios(cells["ours"], cells[name])
        budget = (f"≥ ×{TRAEFIK}", ratio[0] >= TRAEFIK) if "Traefik" in name else ("", None)
        yield Row(f"authorized sub-request, of {name}", _shown(ratio), *budget)
    for name in ("bare", "ours", "asked", *others):
        yield Row(f"… {NAMES.get(name, name)}", _cell(cells[name]))
    one, without = (statistics.median(c.p50_ms for c in cells[name]) for name in ("alone", "bare alone"))
    yield Row("… one client, p50 (bare Envoy)", f"{one:.3f} ms ({without:.3f} ms)")


def _calls(door: Server) -> int:
    """How often the door has been asked so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{door.port}{COUNT}") as answer:
        return int(answer.read())


NAMES = {
    "bare": "bare Envoy, same access log",
    "ours": "by a grant",
    "asked": "page load: asks a door that knows one answer (its time counts)",
}


def _ratios(ours: list[Cell], others: list[Cell]) -> tuple[float, float, float]:
    found = [a.per_cpu_s / b.per_cpu_s for a, b in zip(ours, others, strict=True)]
    return statistics.median(found), min(found), max(found)


def _shown(ratio: tuple[float, float, float]) -> str:
    return f"×{ratio[0]:.2f} ({ratio[1]:.2f}-{ratio[2]:.2f})"


def _cell(cells: list[Cell]) -> str:
    per_cpu = statistics.median(cell.per_cpu_s for cell in cells)
    p50, p99 = (statistics.median(values) for values in ([c.p50_ms for c in cells], [c.p99_ms for c in cells]))
    return f"{per_cpu:,.0f} per cpu s ({1e6 / per_cpu:.0f} us); p50 {p50:.1f}, p99 {p99:.1f} ms"


def serve(folder: Path, to: int, port: int) -> None:
    """A door that knows one answer: for our gateway on its socket, and for the others on a port."""
    words = [
        (name.encode(), value.encode()) for name, value in door_words("127.0.0.1", f"{peers.UPSTREAM}:{to}").items()
    ]

    calls = 0

    async def door(scope: Any, receive: Any, send: Any) -> None:
        nonlocal calls
        body = str(calls).encode() if scope["path"] == COUNT else b""
        calls += not body
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*words, length]})
        await send({"type": "http.response.body", "body": body})

    own, public = socket.socket(socket.AF_UNIX), socket.socket()
    own.bind(str(folder / "cp.sock"))
    public.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    public.bind(("127.0.0.1", port))
    settings = uvicorn.Config(door, http="httptools", loop="uvloop", ws="none", lifespan="off", access_log=False,
                              log_level="error", proxy_headers=False, server_header=False)  # fmt: skip
    uvicorn.Server(settings).run(sockets=[own, public])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:
        show(rows())
