"""The queue of tasks as operators see it: what waits, runs or failed, and trying again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import Badge, frame, page
from pilothouse.base.access import Principal
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Chip
from pilothouse.db import Database, Tx
from pilothouse.tasks.models import Task, TaskState
from pilothouse.web import service
from pilothouse.web.views import QueueView, TaskRow

router = APIRouter(prefix="/_/admin/queue")
PAGE_SIZE = 50
LATELY = timedelta(days=1)
STATES: Mapping[TaskState, Badge] = {
    TaskState.QUEUED: Badge("waiting", "off"),
    TaskState.RUNNING: Badge("running", "busy"),
    TaskState.DONE: Badge("done", "good"),
    TaskState.FAILED: Badge("failed", "bad"),
    TaskState.CANCELLED: Badge("cancelled", "off"),
}
KINDS = {
    "content.deploy": "Deploy",
    "content.start_worker": "Start of a worker",
    "system.sweep": "Clean-up",
    "notify.send": "Mail",
    "system.check": "Check of the server",
    "content.clear_cache": "Clearing of packages",
}
#: The choices of the page: which states each shows, and whether what ended only counts for the last day.
CHOICES: Mapping[str, tuple[str, tuple[TaskState, ...]]] = {
    "": ("All", ()),
    "open": ("Waiting and running", (TaskState.QUEUED, TaskState.RUNNING)),
    "failed": ("Failed", (TaskState.FAILED,)),
    "done": ("Done", (TaskState.DONE,)),
}


@router.get("")
def show(request: Request, caller: SignedIn, db: Db, state: str = "", before: RowId | None = None) -> Response:
    return page(request, "web/queue.html", view=_view(request, db, caller, state=state, before=before))


@router.post("/{key}/retry")
def retry(request: Request, caller: SignedIn, db: Db, key: str) -> Response:
    """The same again as a new task; the list shows it on top."""
    return _act(request, caller, db, key, done="It is tried again, as a new task.")


@router.post("/{key}/cancel")
def cancel(request: Request, caller: SignedIn, db: Db, key: str) -> Response:
    return _act(request, caller, db, key, done="It ends at its next step.")


def _act(request: Request, caller: Principal, db: Database, key: str, *, done: str) -> Response:
    verb = service.retry_task if request.url.path.endswith("/retry") else service.cancel_task
    try:
        with db.write() as tx:
            verb(tx, caller, service.get_task(tx, caller, key))
    except service.TaskNotAgain as error:
        return page(request, "web/queue.html", status=409, view=_view(request, db, caller, problem=str(error)))
    return page(request, "web/queue.html", view=_view(request, db, caller, done=done))


def _view(
    request: Request, db: Database, caller: Principal, *, state: str = "", before: int | None = None, **said: str
) -> QueueView:
    path = f"{frame(request).base}/_/admin/queue"
    state = state if state in CHOICES else ""
    with db.read() as tx:
        found = service.tasks(tx, caller, states=CHOICES[state][1], before=before, limit=PAGE_SIZE + 1)
        counts = service.task_counts(tx, caller, since=LATELY)
        rows = _rows(request, tx, found[:PAGE_SIZE])
    query = (
        ({"state": state} if state else {}) | {"before": str(found[PAGE_SIZE - 1].id)} if len(found) > PAGE_SIZE else {}
    )
    return QueueView(
        rows=rows,
        chips=[
            Chip(words, f"{path}?{urlencode({'state': key})}" if key else path, key == state)
            for key, (words, _) in CHOICES.items()
        ],
        sentence=sentence(counts),
        older=f"{path}?{urlencode(query)}" if query else "",
        address=f"{path}?{urlencode({'state': state})}" if state else path,
        follows=before is None,
        **said,
    )


def sentence(counts: Mapping[TaskState, int]) -> str:
    """Like "2 wait, 1 runs. In the last day 40 were done and 1 failed."."""
    waits, runs = counts[TaskState.QUEUED], counts[TaskState.RUNNING]
    done, failed = counts[TaskState.DONE], counts[TaskState.FAILED]
    now = f"{waits} {'waits' if waits == 1 else 'wait'}, {runs} {'runs' if runs == 1 else 'run'}."
    return f"{now} In the last day {done} {'was' if done == 1 else 'were'} done and {failed} failed."


def _rows(request: Request, tx: Tx, tasks: Sequence[Task]) -> list[TaskRow]:
    ids = {t.subject_id for t in tasks if t.subject_kind == "content"}
    subjects = {c.id: c for c in tx.scalars(select(Content).where(Content.id.in_(ids)))}
    people = reading.people(tx, {t.actor_id for t in tasks if t.actor_id is not None})
    return [
        _row(
            request, t, subjects.get(t.subject_id or 0), people[t.actor_id].display_name if t.actor_id in people else ""
        )
        for t in tasks
    ]


def _row(request: Request, task: Task, content: Content | None, asked_by: str) -> TaskRow:
    stages, base = request.app.state.stages, f"{frame(request).base}/_/admin/queue/{task.key}"
    stage = stages.by_id(content.stage_id) if content is not None else None
    href = f"{stage.path}_/content/{content.guid}" if stage is not None and content is not None else ""
    is_deploy = task.kind == reading.DEPLOY
    is_open = task.state in reading.UNDER_WAY
    return TaskRow(
        what=KINDS.get(task.kind, task.kind),
        subject=(content.title or content.name) if content is not None else "",
        stage=stage.title if stage is not None else "",
        href=f"{href}/log?of=deploy" if href and is_deploy else href,
        asked_by=asked_by or "the server",
        badge=STATES[TaskState(task.state)],
        at=task.ended_at or task.started_at or task.created_at,
        took=reading.took(task),
        error=task.error,
        tries=task.attempt,
        retry=f"{base}/retry" if service.may_go_again(task) else "",
        cancel=f"{base}/cancel" if is_open and is_deploy and not task.cancel_asked else "",
    )
