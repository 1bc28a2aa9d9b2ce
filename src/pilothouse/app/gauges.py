"""What is true at the moment somebody asks: workers, queues, jobs, connections, space. Read from rows, so all replicas tell the same."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text

from pilothouse import __version__
from pilothouse.app.health import Part
from pilothouse.audit.service import behind, waiting
from pilothouse.base import clock
from pilothouse.content.models import Worker, WorkerState
from pilothouse.db import Database, DatabaseDown, Tx, size_of
from pilothouse.launcher.contract import FINAL, JobState
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task
from pilothouse.tasks.queue import IS_QUEUED, IS_RUNNING

#: Name → what it tells, and its labels.
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "pilothouse_app_info": ("Always 1; the label tells the version.", ("version",)),
    "pilothouse_app_ready": ("Whether a part of the server is ready (1), as /readyz tells.", ("part",)),
    "pilothouse_gateway_sockets": ("WebSockets that are open to apps.", ()),
    "pilothouse_content_workers": ("Workers of content by state (starting, ready, frozen, draining).", ("state",)),
    "pilothouse_launcher_jobs": ("Jobs that have not ended, by state.", ("state",)),
    "pilothouse_tasks_queued": ("Tasks that could run and wait for their turn, by queue.", ("queue",)),
    "pilothouse_tasks_running": ("Tasks that run, by queue; `builds` are deploys with their builds.", ("queue",)),
    "pilothouse_tasks_oldest_age_seconds": ("How long the oldest of the waiting tasks waits, by queue.", ("queue",)),
    "pilothouse_audit_unsealed_events": (
        "Events of the audit trail that are not sealed yet; in good times none is older than a second.",
        (),
    ),
    "pilothouse_audit_sink_missing_events": (
        "Sealed events that a sink of the audit trail does not have yet, by sink.",
        ("sink",),
    ),
    "pilothouse_db_roundtrip_seconds": ("How long a trivial query took just now.", ()),
    "pilothouse_db_connections": ("Connections of this process that are in use.", ()),
    "pilothouse_db_connections_limit": ("Connections that this process may use at once.", ()),
    "pilothouse_db_size_bytes": ("Size of the database.", ()),
    "pilothouse_storage_free_bytes": ("Free space on the disk of the home.", ()),
}
Rows = Iterator[tuple[str, tuple[str, ...], float]]
ALIVE = tuple(state for state in WorkerState if state not in (WorkerState.ENDED, WorkerState.FAILED))
QUEUES = ("builds", "starts", "system")


@dataclass(frozen=True)
class Sources:
    """What is looked at. ``sockets`` tells how many are open; ``sinks`` are the names of the audit trail's."""

    database: Database
    home: Path
    sockets: Callable[[], int]
    sinks: Collection[str] = ()


class Gauges(Collector):
    """One look. Without its database only that is left out that needs it."""

    def __init__(self, sources: Sources, parts: Mapping[str, Part]) -> None:
        self._sources, self._parts = sources, parts

    def describe(self) -> list[GaugeMetricFamily]:
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = _families()
        for name, labels, value in self._rows():
            families[name].add_metric(labels, value)
        yield from (family for family in families.values() if family.samples)

    def _rows(self) -> Rows:
        yield "pilothouse_app_info", (__version__,), 1
        for name, part in self._parts.items():
            yield "pilothouse_app_ready", (name,), part.is_ready
        yield "pilothouse_gateway_sockets", (), self._sources.sockets()
        yield "pilothouse_storage_free_bytes", (), shutil.disk_usage(self._sources.home).free
        yield from _connections(self._sources.database)
        if all(self._parts[name].is_ready for name in ("database", "schema")):
            try:
                yield from _database(self._sources.database, self._sources.sinks)
            except DatabaseDown:
                return


def _families() -> dict[str, GaugeMetricFamily]:
    return {name: GaugeMetricFamily(name, words, labels=labels) for name, (words, labels) in GAUGES.items()}


def _connections(database: Database) -> Rows:
    pools: list[Any] = [engine.pool for engine in {database.engine, database.read_engine}]
    yield "pilothouse_db_connections", (), sum(pool.checkedout() for pool in pools)
    yield "pilothouse_db_connections_limit", (), database.connections_limit


def _database(database: Database, sinks: Collection[str]) -> Rows:
    with database.read() as tx:
        began = time.perf_counter()
        tx.execute(text("SELECT 1"))
        yield "pilothouse_db_roundtrip_seconds", (), time.perf_counter() - began
        yield "pilothouse_db_size_bytes", (), size_of(tx)
        yield from _audit(tx, sinks)
        yield from _tasks(tx)
        yield from _states(tx, "pilothouse_content_workers", Worker.state, ALIVE)
        running = tuple(state for state in JobState if state not in FINAL)
        yield from _states(tx, "pilothouse_launcher_jobs", Job.state, running)


def _audit(tx: Tx, sinks: Collection[str]) -> Rows:
    yield "pilothouse_audit_unsealed_events", (), waiting(tx)
    for sink, count in behind(tx, sinks).items():
        yield "pilothouse_audit_sink_missing_events", (sink,), count


def _tasks(tx: Tx) -> Rows:
    now = clock.now()
    waiting = select(Task.queue, func.count(), func.min(Task.run_at)).where(IS_QUEUED, Task.run_at <= now)
    running = select(Task.queue, func.count()).where(IS_RUNNING)
    queued = {queue: (count, since) for queue, count, since in tx.execute(waiting.group_by(Task.queue))}
    busy: dict[str, int] = dict(tx.execute(running.group_by(Task.queue)).tuples().all())
    for queue in sorted({*QUEUES, *queued, *busy}):
        count, since = queued.get(queue, (0, None))
        yield "pilothouse_tasks_queued", (queue,), count
        yield "pilothouse_tasks_running", (queue,), busy.get(queue, 0)
        yield "pilothouse_tasks_oldest_age_seconds", (queue,), (now - since).total_seconds() if since else 0


def _states(tx: Tx, name: str, column: Any, states: tuple[Any, ...]) -> Rows:
    counted = select(column, func.count()).where(column.in_([s.value for s in states])).group_by(column)
    found: dict[str, int] = dict(tx.execute(counted).tuples().all())
    for state in states:
        yield name, (state.value,), found.get(state.value, 0)
