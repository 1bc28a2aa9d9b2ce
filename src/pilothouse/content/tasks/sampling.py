"""What workers use, once a minute: cores and memory of each running one, for the plots of its content."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from pilothouse.base import clock
from pilothouse.content.models import Worker, WorkerSample, WorkerState
from pilothouse.db import Database
from pilothouse.launcher.contract import Measures, usage_of
from pilothouse.launcher.models import Job

SAMPLE_S = 60.0


class Sampler:
    """Call `once` every `SAMPLE_S`. Knows from the last call how much processor time each job had used by then."""

    def __init__(self, database: Database, launcher: object) -> None:
        self._database, self._launcher = database, launcher
        self._before: dict[str, tuple[float, float]] = {}

    def once(self) -> int:
        """Keep a sample of every running worker; returns how many. A worker's first look only begins its count."""
        if not isinstance(self._launcher, Measures):
            return 0
        running = select(Worker.content_id, Worker.slot, Job.key).join(Job, Job.id == Worker.job_id)
        with self._database.read() as tx:
            rows = tx.execute(running.where(Worker.state == WorkerState.READY.value)).all()
        found = [
            (content_id, slot, key, used) for content_id, slot, key in rows if (used := usage_of(self._launcher, key))
        ]
        now, before = clock.now(), self._before
        self._before = {key: (now.timestamp(), used.cpu_seconds) for _, _, key, used in found}
        samples = [
            WorkerSample(
                content_id=content_id,
                slot=slot,
                at=now,
                cores=max(0.0, (used.cpu_seconds - before[key][1]) / max(now.timestamp() - before[key][0], 1.0)),
                memory=used.memory,
            )
            for content_id, slot, key, used in found
            if key in before
        ]
        if samples:
            with self._database.write() as tx:
                tx.add_all(samples)
        return len(samples)


def drop_samples(database: Database, *, older_than: timedelta) -> int:
    """Remove samples that are older; returns how many."""
    with database.write() as tx:
        result = tx.execute(delete(WorkerSample).where(WorkerSample.at < clock.now() - older_than))
        return int(getattr(result, "rowcount", 0))
