"""Verbs on the jobs behind content."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.content.contract import JobUnknownHere
from pilothouse.content.models import Content, Worker, WorkerSample
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.workers import drain_job
from pilothouse.db import Tx
from pilothouse.launcher.models import Job

LIST_LIMIT = 200


def jobs(tx: Tx, actor: Principal, content: Content, *, limit: int = LIST_LIMIT) -> list[Job]:
    """Jobs of ``content``, newest first."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    mine = (Job.subject_kind == "content", Job.subject_id == content.id)
    return list(tx.scalars(select(Job).where(*mine).order_by(Job.id.desc()).limit(limit)))


def get_job(tx: Tx, actor: Principal, content: Content, key: str) -> Job:
    """Raises `JobUnknownHere`."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    job = tx.scalar(select(Job).where(Job.key == key, Job.subject_kind == "content", Job.subject_id == content.id))
    if job is None:
        raise JobUnknownHere(f"This content has no job {key}.")
    return job


def stop_job(tx: Tx, actor: Principal, content: Content, job: Job) -> None:
    """End a job now; the next request starts a new worker. An ended one is a no-op."""
    require(actor, Permission.CONTENT_UPDATE, resource_of(tx, content))
    drain_job(tx, job.id)
    after = {"key": job.key, "tag": job.tag}
    record(
        tx, actor, "launcher:job:stopped", ResourceRef("content", content.id), stage_id=content.stage_id, after=after
    )


def cores_lately(tx: Tx, contents: Collection[int]) -> dict[tuple[int, int], float]:
    """Cores that workers used at the last look, by content id and slot; of those that run, for who may see that."""
    newest = select(func.max(WorkerSample.id)).where(WorkerSample.content_id.in_(list(contents)))
    newest = newest.group_by(WorkerSample.content_id, WorkerSample.slot)
    rows = tx.scalars(select(WorkerSample).where(WorkerSample.id.in_(newest)))
    return {(row.content_id, row.slot): row.cores for row in rows}


def running_jobs(tx: Tx, actor: Principal) -> list[tuple[Job, Worker | None, Content | None]]:
    """Everything that runs in the installation, newest first, for administrators."""
    require(actor, Permission.JOB_LIST)
    rows = (
        select(Job, Worker, Content)
        .outerjoin(Worker, Worker.job_id == Job.id)
        .outerjoin(Content, (Content.id == Job.subject_id) & (Job.subject_kind == "content"))
        .where(Job.ended_at.is_(None))
        .order_by(Job.id.desc())
    )
    return [(job, worker, content) for job, worker, content in tx.execute(rows)]
