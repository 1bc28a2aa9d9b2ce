"""Work that comes back: when it is due, and its start once for all replicas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select

from pilothouse.db import Tx
from pilothouse.tasks.enqueue import alone, enqueue
from pilothouse.tasks.models import Recurrence, Task, TaskState

KEPT = timedelta(hours=1)


@dataclass(frozen=True)
class Daily:
    """Once a day at a local time. An hour that the zone's clock skips or repeats makes it neither drop out nor run twice."""

    at: time
    zone: str = "UTC"

    def next_after(self, moment: datetime) -> datetime:
        local = moment.astimezone(ZoneInfo(self.zone))
        today = datetime.combine(local.date(), self.at, local.tzinfo)
        if today.astimezone(UTC) > moment:
            return today.astimezone(UTC)
        return datetime.combine(local.date() + timedelta(days=1), self.at, local.tzinfo).astimezone(UTC)


@dataclass(frozen=True)
class Recurring:
    """Work that comes back ``every`` so often, once for all replicas. A missed time is made up for once; work that is still
    waiting or running is not started a second time. Runs that went well are forgotten after an hour.
    """

    name: str
    kind: str
    every: timedelta | Daily
    queue: str = "system"

    def next_after(self, moment: datetime) -> datetime:
        return moment + self.every if isinstance(self.every, timedelta) else self.every.next_after(moment)


def tick(tx: Tx, work: Recurring, now: datetime) -> datetime:
    """Enqueue ``work`` if it is due; returns when to ask again."""
    alone(tx, work.name)
    row = tx.get(Recurrence, work.name)
    if row is None:
        row = Recurrence(name=work.name, next_at=now if isinstance(work.every, timedelta) else work.next_after(now))
        tx.add(row)
    row.next_at = min(row.next_at, work.next_after(now))  # the interval may have become shorter
    if row.next_at > now:
        return row.next_at
    row.next_at = work.next_after(now)
    run = f"{work.name}@{now:%Y%m%dT%H%M%S.%f}"
    runs = (Task.kind == work.kind, Task.unique_key.between(f"{work.name}@", run))
    tx.execute(delete(Task).where(*runs, Task.state == TaskState.DONE.value, Task.ended_at < now - KEPT))
    busy = (*runs, Task.state.in_([TaskState.QUEUED.value, TaskState.RUNNING.value]))
    if tx.scalar(select(Task.id).where(*busy).limit(1)) is None:
        enqueue(tx, work.kind, {}, queue=work.queue, unique_key=run)
    return row.next_at
