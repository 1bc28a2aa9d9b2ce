"""Open WebSockets: what the gateway's memory costs for each, and how long an echo takes while thousands are open."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.factories.gateway import MOUNT, free_ports

from bench import peers
from bench.gateway import plan
from bench.peers import Server, started
from bench.rows import Row, percentile, show
from pilothouse.gateway.envoy import config

COUNTS = (1_000, 4_000)
ECHOES, PER_SECOND = 2_000, 400
AT_ONCE = 50
Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def rows() -> Iterator[Row]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # two for each socket in Envoy, which inherits it
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ph-bench-", dir="/tmp")))
        app, door, *ports = free_ports(2 + len(COUNTS))
        stack.enter_context(started(peers.python("bench.sockets", str(app)), app, host=peers.UPSTREAM))
        stack.enter_context(started(peers.python("bench.gateway", str(folder), str(app), str(door)), door))
        for count, port in zip(COUNTS, ports, strict=True):
            command = peers.envoy(config(plan(folder, port)), folder, f"ours-{port}")
            with started(command, port) as ours:
                yield from asyncio.run(_measured(ours, count, app))


async def _measured(ours: Server, count: int, app: int) -> list[Row]:
    direct = [await _open(peers.UPSTREAM, app) for _ in range(100)]
    floor = await _echoes(direct)
    before, sockets = _rss_kb(ours.pid), list[Socket]()
    for first in range(0, count, AT_ONCE):
        some = range(first, min(first + AT_ONCE, count))
        sockets += await asyncio.gather(*(_open("127.0.0.1", ours.port) for _ in some))
    silent = (_rss_kb(ours.pid) - before) / count
    times = await _echoes(sockets)
    spoke = (_rss_kb(ours.pid) - before) / count
    for _, writer in (*sockets, *direct):
        writer.close()
    name = f"{count:,} open WebSockets"
    return [
        Row(f"{name}: the gateway's memory for each", f"{silent:.1f} kB, {spoke:.1f} kB after some spoke"),
        Row(f"{name}: echo, {PER_SECOND} a second", _shown(times)),
        Row("… without a gateway, 100 sockets", _shown(floor)),
    ]


async def _open(host: str, port: int) -> Socket:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"GET {MOUNT}socket HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    return reader, writer


async def _echoes(sockets: list[Socket]) -> list[float]:
    """Milliseconds from a message to its echo, each on some socket, one after the other at a steady pace."""
    chance, times, began = random.Random(1), list[float](), time.perf_counter()
    for number in range(ECHOES):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        reader, writer = chance.choice(sockets)
        sent = time.perf_counter()
        writer.write(b"\x81\x8b0000" + b"hello there")
        await reader.readexactly(17)
        times.append((time.perf_counter() - sent) * 1000)
    return times


def _shown(times: list[float]) -> str:
    return f"p50 {percentile(times, 0.5):.2f}, p99 {percentile(times, 0.99):.2f} ms"


def _rss_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmRSS")))


class Echo(asyncio.Protocol):
    """An app that takes every handshake and sends back all that it gets."""

    def __init__(self) -> None:
        self._is_open, self._head = False, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._is_open:
            self._transport.write(data)
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._is_open, self._head = True, b""
            accept = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + accept
                + b"\r\n\r\n"
            )


async def serve(port: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = await asyncio.get_running_loop().create_server(Echo, peers.UPSTREAM, port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(serve(int(sys.argv[1])))
    else:
        show(rows())
