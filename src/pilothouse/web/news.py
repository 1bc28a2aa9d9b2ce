"""What became of one's own deploys since a moment: each page asks now and then, so that finished work says so wherever one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import func, select

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import frame
from pilothouse.asgi.texts import catalogue
from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.content.pages import reading
from pilothouse.content.service.content import visible_of
from pilothouse.db import Tx
from pilothouse.stages import StageRef
from pilothouse.tasks.models import Task, TaskState

router = APIRouter()
#: Older news than that is none, however long a browser was away.
REACH = timedelta(minutes=30)
SHOWN = 4
LOOKED_THROUGH = 2000
ENDS = (TaskState.DONE, TaskState.FAILED)


@dataclass(frozen=True)
class News:
    """One sentence, and where to look."""

    words: str
    is_good: bool
    href: str
    action: str


@router.get("/_/news")
def news(request: Request, db: Db, caller: SignedIn, since: str = "") -> JSONResponse:
    """What happened after ``since`` (an ISO moment of the answer before; nothing without one), oldest first."""
    now = clock.now()
    asked = _moment(since) or now
    with db.read() as tx:
        found = [n for stage in request.app.state.stages.all() for n in _in_stage(request, tx, caller, stage, asked)]
    answer = {"until": now.isoformat(), "news": [asdict(one) for one in found[-SHOWN:]]}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(at, clock.now() - REACH) if at.tzinfo else None


def _in_stage(request: Request, tx: Tx, caller: Principal, stage: StageRef, since: datetime) -> Iterator[News]:
    newest = select(func.max(Task.id)).scalar_subquery()  # every page asks: never walk through a month of tasks
    ended = select(Task).where(Task.id > newest - LOOKED_THROUGH, Task.ended_at > since, Task.state.in_(ENDS))
    mine = ended.where(Task.kind == reading.DEPLOY, Task.subject_kind == "content", Task.actor_id == caller.id)
    tasks = list(tx.scalars(mine.order_by(Task.ended_at.desc(), Task.id.desc()).limit(SHOWN)))
    chosen = visible_of(caller, stage, {task.subject_id for task in tasks})
    rows = {row.id: row for row in tx.scalars(chosen)} if tasks else {}
    said = catalogue(frame(request).language).gettext
    latest = {task.subject_id: task.id for task in reversed(tasks)}  # clients deploy a draft first, then activate it
    for task in reversed(tasks):
        row = rows.get(task.subject_id or 0)
        if row is None or latest[task.subject_id] != task.id:
            continue
        title, address = row.title or row.name, f"{stage.path}_/content/{row.guid}"
        if task.state == TaskState.FAILED:
            cause = task.error or said("The last deploy failed.")
            words = said("%(title)s could not be deployed. %(cause)s") % {"title": title, "cause": cause}
            yield News(words, False, f"{address}/log?of=deploy", said("Look at the log"))
        elif task.args.get("activate"):
            yield News(said("%(title)s is live.") % {"title": title}, True, address, said("Open"))
        else:
            words = said("%(title)s has a new draft.") % {"title": title}
            yield News(words, True, f"{address}/versions", said("Versions"))
