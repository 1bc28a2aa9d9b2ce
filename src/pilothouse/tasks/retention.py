"""Finished tasks do not stay for ever."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from pilothouse.base import clock
from pilothouse.db import Database
from pilothouse.tasks.models import Task
from pilothouse.tasks.output import FINAL

BATCH = 200


def sweep(database: Database, *, older_than: timedelta) -> int:
    """Remove finished tasks with their steps and lines, few at a time so that nobody waits long; returns how many."""
    removed = 0
    while True:
        old = select(Task.id).where(Task.state.in_(FINAL), Task.ended_at < clock.now() - older_than).limit(BATCH)
        with database.write() as tx:
            ids = tx.scalars(old).all()
            tx.execute(delete(Task).where(Task.id.in_(ids)))
        removed += len(ids)
        if len(ids) < BATCH:
            return removed
