"""Waking content for a request: a frozen worker is thawed at once, a missing one is queued to start."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.content.models import Worker, WorkerState
from pilothouse.content.service.workers import held, move
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.launcher.contract import JobUnknown, Signal, SignalRefused
from pilothouse.launcher.models import Job


class Rouser:
    """``wanted`` makes sure, on behalf of a visitor, that a live worker row exists, and returns its id."""

    def __init__(self, engines: ContentEngines, wanted: Callable[[int, int, int | None], int]) -> None:
        self._engines, self._wanted = engines, wanted

    def rouse(self, content_id: int, bundle_id: int, visitor_id: int | None) -> None:
        """Returns at once; calling it from many requests at the same time does the work once."""
        worker_id = self._wanted(content_id, bundle_id, visitor_id)
        with self._engines.database.read() as tx:
            row = tx.execute(
                select(Worker, Job).join(Job, Job.id == Worker.job_id).where(Worker.id == worker_id)
            ).first()
        if row is not None and row[0].state == WorkerState.FROZEN:
            thaw(self._engines, worker_id, row[1].key)


def thaw(engines: ContentEngines, worker_id: int, job_key: str) -> None:
    """Let a frozen worker go on. The row moves first: whoever freezes it at this moment looks at the row afterwards.

    One that ended meanwhile is left to the reconciler, which says so; the next request starts another.
    """
    with engines.database.write() as tx:
        live = held(tx, worker_id)
        if live.state == WorkerState.FROZEN:
            live.last_used_at = clock.now()
            move(live, WorkerState.READY)
    with suppress(SignalRefused, JobUnknown):
        engines.launcher.signal(job_key, Signal.THAW)
