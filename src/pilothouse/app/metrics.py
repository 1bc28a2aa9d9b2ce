"""What the process counts and times for Prometheus: requests, the door, tasks, transactions. `gauges` adds what is true at the moment.

Names are ``pilothouse_room_thing_unit``. Labels take few values, none of which a visitor or publisher chooses: no metric
grows with content, users or addresses.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from sqlalchemy import event

from pilothouse.base.errors import PilothouseError
from pilothouse.db import Database, DatabaseDown
from pilothouse.gateway import headers as h
from pilothouse.gateway.door import WAITED
from pilothouse.gateway.envoy.accesslog import OPENED
from pilothouse.tasks.contract import Cancelled, Fenced, Handler, Interrupted, Retry, Run

App = Callable[[Any, Any, Any], Awaitable[None]]
REQUEST_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
DOOR_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)
WAIT_BUCKETS = (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
TASK_BUCKETS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 1800)
TRANSACTION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15)
ORIGINS = frozenset({"dashboard", "content", "session"})
TAKEN_AT = "pilothouse_taken_at"


class Metrics:
    """The instruments of one process. Whoever does the work is wrapped by one of the methods and knows nothing of it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._requests = Counter(
            "pilothouse_gateway_requests",
            "Requests that the gateway answered, by origin (dashboard, content, session, other), by who answered (app, file, page, "
            "server) and by class of status. Read from the access log, so about a second late; they wait while the database is away.",
            ("origin", "target", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "pilothouse_gateway_request_duration_seconds",
            "From the first byte of a request to the last of its answer, by who answered. WebSockets are left out.",
            ("target",),
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._sockets = Counter(
            "pilothouse_gateway_sockets_opened", "WebSockets that were opened to apps.", registry=self.registry
        )
        self._door_seconds = Histogram(
            "pilothouse_gateway_door_duration_seconds",
            "How long the door took to decide, without waiting for workers, by its answer (app, file, page, redirect, refused, failed).",
            ("answer",),
            buckets=DOOR_BUCKETS,
            registry=self.registry,
        )
        self._wait_seconds = Histogram(
            "pilothouse_gateway_worker_wait_seconds",
            "How long requests waited at the door for a worker to start or to thaw.",
            buckets=WAIT_BUCKETS,
            registry=self.registry,
        )
        self._task_seconds = Histogram(
            "pilothouse_tasks_duration_seconds",
            "How long attempts at tasks ran, by kind (content.deploy: deploys with their builds; content.start_worker; system.sweep) and "
            "result (done; failed: for a reason that its owner reads; broke: a mistake of ours; again: it comes back; cancelled).",
            ("kind", "result"),
            buckets=TASK_BUCKETS,
            registry=self.registry,
        )
        self._transaction_seconds = Histogram(
            "pilothouse_db_transaction_duration_seconds",
            "How long transactions held a database connection.",
            buckets=TRANSACTION_BUCKETS,
            registry=self.registry,
        )

    def heard(self, line: Mapping[str, Any]) -> None:
        """Count a line of the access log."""
        if line.get("kind") == OPENED:
            self._sockets.inc()
            return
        origin, status = line.get("origin"), line.get("status")
        target = _target(line)
        family = f"{status // 100}xx" if isinstance(status, int) and 100 <= status < 600 else "none"
        self._requests.labels(origin if origin in ORIGINS else "other", target, family).inc()
        if family != "1xx" and isinstance(line.get("ms"), int):
            self._request_seconds.labels(target).observe(line["ms"] / 1000)

    def door(self, door: App) -> App:
        """The door, timed."""

        async def timed(scope: Any, receive: Any, send: Any) -> None:
            said = ["failed"]

            async def heard(message: Any) -> None:
                if message["type"] == "http.response.start":
                    said[0] = _answer(message["status"], message["headers"])
                await send(message)

            began = time.perf_counter()
            try:
                await door(scope, receive, heard)
            finally:
                waited = scope.get(WAITED, 0.0)
                self._door_seconds.labels(said[0]).observe(time.perf_counter() - began - waited)
                if waited:
                    self._wait_seconds.observe(waited)

        return timed

    def task(self, kind: str, handler: Handler) -> Handler:
        """A handler of tasks, timed; what it raises goes on."""

        def timed(run: Run) -> Mapping[str, Any] | None:
            began, result = time.perf_counter(), "broke"
            try:
                made = handler(run)
                result = "done"
                return made
            except (Retry, Interrupted, Fenced, DatabaseDown):
                result = "again"
                raise
            except Cancelled:
                result = "cancelled"
                raise
            except PilothouseError:
                result = "failed"
                raise
            finally:
                self._task_seconds.labels(kind, result).observe(time.perf_counter() - began)

        return timed

    def database(self, database: Database) -> None:
        """Time the transactions of ``database`` from now on."""

        def taken(_connection: Any, record: Any, _proxy: Any) -> None:
            record.info[TAKEN_AT] = time.perf_counter()

        def given_back(_connection: Any, record: Any) -> None:
            if (since := record.info.pop(TAKEN_AT, None)) is not None:
                self._transaction_seconds.observe(time.perf_counter() - since)

        for engine in {database.engine, database.read_engine}:
            event.listen(engine, "checkout", taken)
            event.listen(engine, "checkin", given_back)


def _target(line: Mapping[str, Any]) -> str:
    if line.get("jid"):
        return "app"
    to = str(line.get("to") or "")
    return to if to in (h.FILE, h.PAGE) else "server"


def _answer(status: int, fields: Any) -> str:
    if status == 200:  # the door's yes
        to = next((value.decode("latin-1") for name, value in fields if name == h.TO.encode()), "")
        return "app" if to.startswith("app") else to if to in (h.FILE, h.PAGE) else "page"
    if status == 304:  # it said itself that the file is unchanged
        return h.FILE
    return "redirect" if status < 400 else "refused" if status < 500 else "failed"
