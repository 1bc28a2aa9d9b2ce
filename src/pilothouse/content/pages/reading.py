"""From rows to cards: how content stands, whose it is, what was deployed last. Rows come in already authorised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import func, select

from pilothouse.asgi.formats import duration
from pilothouse.asgi.rendering import Badge
from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.content import service
from pilothouse.content.models import Content, Worker, WorkerState
from pilothouse.content.pages.views import Card, Line, kind_shown
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.pages.views import initials
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task, TaskLine, TaskState

DEPLOY = "content.deploy"
UNDER_WAY = (TaskState.QUEUED.value, TaskState.RUNNING.value)

_WORKERS: Mapping[str, Badge] = {
    WorkerState.STARTING.value: Badge("starting", "busy"),
    WorkerState.READY.value: Badge("running", "good"),
    WorkerState.FROZEN.value: Badge("frozen", "cold"),
    WorkerState.DRAINING.value: Badge("asleep", "off"),
    WorkerState.ENDED.value: Badge("asleep", "off"),
    WorkerState.FAILED.value: Badge("failed", "bad"),
}


@dataclass(frozen=True)
class Standing:
    """The latest worker of the active bundle and the latest deploy, where there are any."""

    worker: Worker | None
    deploy: Task | None


def starts(tx: Tx, jobs: Sequence[Job]) -> Mapping[int, str]:
    """Of jobs that came up as workers, by their ids: how long that took, and the wait for a turn before it where there was one."""
    asked = select(Worker).where(Worker.job_id.in_(job.id for job in jobs), Worker.ready_at.is_not(None))
    workers = {worker.job_id: worker for worker in tx.scalars(asked)}
    found = {}
    for job in jobs:
        worker = workers.get(job.id)
        if worker is not None and worker.ready_at is not None:
            waited = job.queued_at - worker.created_at
            before = f", after {duration(waited)} in the queue" if waited >= timedelta(seconds=1) else ""
            found[job.id] = f"ready in {duration(worker.ready_at - job.queued_at)}{before}"
    return found


def cards(tx: Tx, rows: Sequence[Content], base: str, caller: Principal | None = None) -> list[Card]:
    """A card for each row, in the same order; a handful of queries however many there are.

    Without a ``caller`` nothing is marked as a favourite.
    """
    owners, standings = people(tx, {row.owner_id for row in rows}), standing(tx, rows)
    tags, pictures = service.tags_of(tx, rows), service.thumbnails_of(tx, rows)
    endorsed = service.endorsements_of(tx, rows)
    kept = service.favourites_of(tx, caller.id, rows) if caller is not None else set()
    return [
        replace(
            card(row, owners.get(row.owner_id), standings[row.id], base),
            tags=tags[row.id],
            picture=f"{base}/_/content/{row.guid}/thumbnail?v={pictures[row.id][:16]}" if row.id in pictures else "",
            is_favourite=row.id in kept,
            endorsed_by=endorsed[row.id][1].display_name if row.id in endorsed else "",
        )
        for row in rows
    ]


def card(row: Content, owner: User | None, stands: Standing, base: str) -> Card:
    name = owner.display_name if owner else "—"
    return Card(
        title=row.title or row.name,
        name=row.name,
        href=f"{base}/_/content/{row.guid}",
        kind=kind_shown(row.app_mode, row.category),
        owner=name,
        initials=initials(name),
        badge=badge(row, stands),
        deployed_at=row.last_deployed_at,
        description=row.description,
        department=row.department or (owner.department if owner else "") or "",
    )


def badge(row: Content, stands: Standing) -> Badge:
    """The one word for how content stands: what is being built first, then its worker, then what was deployed."""
    deploy, worker = stands.deploy, stands.worker
    if row.locked:
        return Badge("locked", "bad")
    if deploy is not None and deploy.state in UNDER_WAY:
        return Badge("building", "busy") if deploy.state == TaskState.RUNNING else Badge("waiting", "off")
    if row.bundle_id is None:
        failed = deploy is not None and deploy.state == TaskState.FAILED
        return Badge("failed", "bad") if failed else Badge("not deployed", "off")
    if row.app_mode == "static":
        return Badge("ready", "good")
    return _WORKERS[worker.state] if worker is not None else Badge("asleep", "off")


def standing(tx: Tx, rows: Sequence[Content]) -> dict[int, Standing]:
    """Latest worker and latest deploy of each."""
    ids, bundles = [row.id for row in rows], [row.bundle_id for row in rows if row.bundle_id]
    newest_worker = select(func.max(Worker.id)).where(Worker.bundle_id.in_(bundles)).group_by(Worker.content_id)
    newest_task = (
        select(func.max(Task.id))
        .where(Task.subject_kind == "content", Task.subject_id.in_(ids), Task.kind == DEPLOY)
        .group_by(Task.subject_id)
    )
    workers = {w.content_id: w for w in tx.scalars(select(Worker).where(Worker.id.in_(newest_worker)))}
    deploys = {t.subject_id: t for t in tx.scalars(select(Task).where(Task.id.in_(newest_task)))}
    return {content_id: Standing(workers.get(content_id), deploys.get(content_id)) for content_id in ids}


def people(tx: Tx, ids: set[int]) -> dict[int, User]:
    return {user.id: user for user in tx.scalars(select(User).where(User.id.in_(ids)))}


def deploys(tx: Tx, content: Content, limit: int) -> list[Task]:
    """Its deploys, newest first: builds as well as activations and roll-backs."""
    mine = (Task.kind == DEPLOY, Task.subject_kind == "content", Task.subject_id == content.id)
    return list(tx.scalars(select(Task).where(*mine).order_by(Task.id.desc()).limit(limit)))


def deploy_lines(tx: Tx, task: Task, first: int, limit: int = 5000) -> list[Line]:
    """What a deploy printed, from line ``first`` on; people count from 1."""
    chosen = select(TaskLine).where(TaskLine.task_id == task.id, TaskLine.number >= first)
    rows = tx.scalars(chosen.order_by(TaskLine.number).limit(limit))
    return [Line(row.number + 1, row.at, row.text, tone(row.text)) for row in rows]


def last_words(tx: Tx, task: Task) -> str:
    """The newest line of a deploy."""
    chosen = select(TaskLine.text).where(TaskLine.task_id == task.id).order_by(TaskLine.number.desc()).limit(1)
    return tx.scalar(chosen) or ""


def deploy_badge(task: Task) -> Badge:
    if task.state == TaskState.DONE and not task.args.get("activate", True):
        return Badge("ready", "good")
    return {
        TaskState.QUEUED.value: Badge("waiting", "off"),
        TaskState.RUNNING.value: Badge("building", "busy"),
        TaskState.DONE.value: Badge("live", "good"),
        TaskState.FAILED.value: Badge("failed", "bad"),
        TaskState.CANCELLED.value: Badge("cancelled", "off"),
    }[task.state]


def tone(text: str) -> str:
    """``step``, ``error``, ``warning`` or nothing, by what a line says itself to be."""
    head = text[:80].lower()
    if text.endswith(" …") and not text.startswith(" "):
        return "step"
    if any(word in head for word in ("error", "traceback", "critical", "exception", "failed")):
        return "error"
    return "warning" if "warning" in head or head.startswith("warn") else ""


def took(task: Task) -> str:
    """How long a deploy runs, or ran; empty while it waits."""
    if task.started_at is None:
        return ""
    return duration((task.ended_at or clock.now()) - task.started_at)
