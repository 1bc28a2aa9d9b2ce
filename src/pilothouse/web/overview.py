"""The administration's first page: in one glance that nothing needs doing, or the list of what does, each with its cause."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta

from fastapi import APIRouter, Request, Response

from pilothouse import __version__
from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.formats import duration, size
from pilothouse.asgi.rendering import Badge, frame, page
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, require
from pilothouse.content import service as content_service
from pilothouse.db import Tx
from pilothouse.gateway.serving import runs_as
from pilothouse.settings import Loaded, weak_points
from pilothouse.tasks.models import TaskState
from pilothouse.web import home, queue, service
from pilothouse.web.storage import is_low
from pilothouse.web.views import Figure, OverviewView, ToDo

router = APIRouter(prefix="/_/admin")
STUCK = timedelta(minutes=5)
LATELY = timedelta(days=1)


@router.get("")
def overview(request: Request, caller: SignedIn, db: Db) -> Response:
    require(caller, Permission.SETTINGS_READ)
    with db.read() as tx:
        view = OverviewView(
            todo=list(_todo(request, tx, caller)),
            weak=list(_weak(request)),
            figures=_figures(request, tx, caller),
            facts=_facts(request),
            history=service.jobs_over_time(tx, caller, span=LATELY),
        )
    return page(request, "web/overview.html", view=view)


def _weak(request: Request) -> Iterator[str]:
    loaded = request.app.state.loaded
    yield from request.app.state.launcher.capabilities().weak
    yield from weak_points(loaded)
    if why := request.app.state.why_root():
        yield f"The control plane runs as root, so that a flaw in it would give away the machine: {why}"
    if runs_as(loaded.home / "run") == 0:
        yield "The gateway runs as root, too. `pilothouse doctor` says what stands in the way of a user of its own."


def _todo(request: Request, tx: Tx, caller: Principal) -> Iterator[ToDo]:
    base = f"{frame(request).base}/_/admin"
    disk = shutil.disk_usage(request.app.state.loaded.home)
    if is_low(disk.free, disk.total):
        words = f"Only {size(disk.free)} of {size(disk.total)} are free where this installation lives."
        yield ToDo(Badge("low", "bad"), words, "Look at the storage", f"{base}/storage")
    since = service.waits_since(tx, caller)
    if since is not None and clock.now() - since > STUCK:
        words = f"Tasks have been waiting for {duration(clock.now() - since)}. See what takes long, or allow more at once (settings, tasks)."
        yield ToDo(Badge("late", "bad"), words, "Look at the queue", f"{base}/queue?state=open")
    for task in service.tasks(tx, caller, states=(TaskState.FAILED,), limit=20):
        if task.subject_kind != "content" and task.ended_at is not None and clock.now() - task.ended_at < LATELY:
            words = f"{queue.KINDS.get(task.kind, task.kind)}: {task.error}"
            yield ToDo(Badge("failed", "bad"), words, "Look at the queue", f"{base}/queue?state=failed")
            break
    for stage in request.app.state.stages.all():
        yield from home.todo(tx, caller, stage, stage.path.rstrip("/"))


def _figures(request: Request, tx: Tx, caller: Principal) -> list[Figure]:
    base = frame(request).base
    jobs, held = content_service.running_jobs(tx, caller), service.held(tx, caller)
    frozen = sum(worker is not None and worker.state == "frozen" for _, worker, _ in jobs)
    counts = service.task_counts(tx, caller, since=LATELY)
    busy, failed = counts[TaskState.QUEUED] + counts[TaskState.RUNNING], counts[TaskState.FAILED]
    disk = shutil.disk_usage(request.app.state.loaded.home)
    return [
        Figure("Jobs", str(len(jobs)), f"{frozen} of them frozen", f"{base}/_/admin/jobs"),
        Figure("Queue", str(busy), f"{failed} failed in the last day", f"{base}/_/admin/queue"),
        Figure("People", f"{held.users:,}", f"{held.seen_today:,} seen in the last day", f"{base}/_/admin/users"),
        Figure("Content", f"{held.content:,}", f"{held.bundles:,} bundle{'' if held.bundles == 1 else 's'}", f"{base}/_/content"),
        Figure("Free space", size(disk.free), f"of {size(disk.total)}", f"{base}/_/admin/storage"),
    ]  # fmt: skip


def _mails(loaded: Loaded) -> str:
    options = loaded.settings.notify
    return f"sent as {options.sender}" if options.channel else "none are sent: notify.channel is not set"


def _facts(request: Request) -> list[tuple[str, str]]:
    loaded, found = request.app.state.loaded, request.app.state.launcher.capabilities()
    return [
        ("Version", __version__),
        ("Address", loaded.public_url),
        ("Database", "SQLite" if request.app.state.database.is_sqlite else "PostgreSQL"),
        ("Home", str(loaded.home)),
        ("Limits of jobs", found.limits),
        ("Freezing of jobs", found.freezer),
        ("Isolation of jobs", found.isolation),
        ("Mails", _mails(loaded)),
        ("Trusted proxies", ", ".join(loaded.settings.gateway.trusted_proxies) or "none"),
        ("Launcher", " ".join(f if f.endswith(".") else f"{f}." for f in found.facts) or "—"),
    ]
