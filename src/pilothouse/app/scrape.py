"""``/metrics``: who may read the numbers, and their text."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from pilothouse.app.gauges import Gauges, Sources
from pilothouse.app.health import Readiness
from pilothouse.app.metrics import Metrics
from pilothouse.gateway import headers as h
from pilothouse.gateway.serving import secret_file
from pilothouse.settings import Loaded

App = Callable[[Any, Any, Any], Awaitable[None]]
#: The reason for a no, with its status; ``None`` for whoever may read.
Guard = Callable[[dict[str, str]], tuple[int, str] | None]


def scrape(metrics: Metrics, readiness: Readiness, sources: Sources, guard: Guard) -> App:
    """The numbers in Prometheus' text format."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if (refused := guard(headers)) is not None:
            await _send(send, refused[0], "text/plain; charset=utf-8", refused[1].encode() + b"\n")
            return
        moment = CollectorRegistry()
        moment.register(Gauges(sources, await readiness.parts()))
        text = await asyncio.to_thread(lambda: generate_latest(metrics.registry) + generate_latest(moment))
        await _send(send, 200, CONTENT_TYPE_LATEST, text)

    return app


def guard_of(loaded: Loaded) -> Guard:
    """Who may read, as `metrics.readers` says."""
    readers, given = loaded.settings.metrics.readers, loaded.settings.metrics.token
    if readers == "off":
        return lambda headers: (404, "Metrics are off here. The administrator can set metrics.readers.")
    if readers == "loopback":
        return _from_loopback
    return _with_token(given.get_secret_value() if given else token(loaded.home / "keys"))


def token(keys: Path) -> str:
    """The token of ``keys/metrics`` (0600), made at first use."""
    return secret_file(keys / "metrics")


def _from_loopback(headers: dict[str, str]) -> tuple[int, str] | None:
    try:
        address = ipaddress.ip_address(headers.get(h.CLIENT, ""))
    except ValueError:
        address = ipaddress.ip_address("0.0.0.0")  # noqa: S104 - nobody's
    if address.is_loopback:
        return None
    return 403, "Metrics are read on the server's own machine only (metrics.readers)."


def _with_token(expected: str) -> Guard:
    def check(headers: dict[str, str]) -> tuple[int, str] | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected.encode()):
            return None
        return 401, "Send the token of HOME/keys/metrics, or of metrics.token, as `Authorization: Bearer …`."

    return check


async def _send(send: Any, status: int, kind: str, body: bytes) -> None:
    fields = [
        (b"content-type", kind.encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        fields.append((b"www-authenticate", b'Bearer realm="metrics"'))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
