"""Home: what is being built right now, what is mine, what colleagues published, and for operators what needs doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, or_, select

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import Badge, frame, page, server_url
from pilothouse.asgi.texts import catalogue
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, may
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import kind_shown
from pilothouse.content.service.content import visible_of
from pilothouse.db import Tx
from pilothouse.stages import StageRef
from pilothouse.tasks.models import Task, TaskState
from pilothouse.web import landing
from pilothouse.web.views import Build, HomeView, Now, NowView, Shelves, ToDo
from pilothouse.web.waiting import waiting

router = APIRouter()
CARDS_SHOWN = 6
BUILDS_SHOWN = 8
LOOKED_THROUGH = 200
TASKS_LOOKED_THROUGH = 2000
JUST_NOW = timedelta(minutes=3)


@router.get("/")
def home(request: Request, db: Db, caller: SignedIn, stage: Stage) -> Response:
    """The first page after signing in."""
    base, server = frame(request).base, server_url(request)
    may_publish, is_operator = may(caller, Permission.CONTENT_CREATE), may(caller, Permission.JOB_LIST)
    with db.read() as tx:
        shelves = _shelves(tx, caller, stage, base)
        first_steps = may_publish and not shelves.mine and not (is_operator and shelves.colleagues)
        view = HomeView(
            now=now(request, tx, caller, stage),
            shelves=shelves,
            may_publish=may_publish,
            first_steps=first_steps,
            add_command=f"rsconnect add -s {server} -n {stage.key} -k KEY",
            deploy_command=f"rsconnect deploy fastapi -n {stage.key} .",
            operator=is_operator,
            todo=todo(tx, caller, stage, base) if is_operator or shelves.mine else (),
            waiting=waiting(request, tx, caller),
            landing=landing.shelves(tx, caller, stage, base),
        )
    return page(request, "web/home.html", view=view)


def _shelves(tx: Tx, caller: Principal, stage: StageRef, base: str) -> Shelves:
    """What is at hand, what is one's own, what is featured, and what is new from others; no item stands on two."""

    def found(limit: int = CARDS_SHOWN, **wanted: Any) -> list[Content]:
        return service.list_content(tx, caller, stage, wanted=service.Wanted(**wanted), limit=limit)

    favourites = found(kept_by=caller.id or 0)
    seen = {row.id for row in favourites}
    mine = [row for row in found(CARDS_SHOWN * 2, owner_id=caller.id) if row.id not in seen][:CARDS_SHOWN]
    featured = [row for row in found(CARDS_SHOWN * 2, featured=True) if row.id not in seen][:CARDS_SHOWN]
    seen |= {row.id for row in featured}
    recent = [row for row in found(CARDS_SHOWN * 4) if row.owner_id != caller.id and row.id not in seen][:CARDS_SHOWN]
    mine = [row for row in mine if row.id not in seen]
    rows = [favourites, mine, featured, recent]
    cards = iter(reading.cards(tx, [row for part in rows for row in part], base, caller))
    return Shelves(*([next(cards) for _ in part] for part in rows))


@router.get("/_/home/now")
def show_now(request: Request, db: Db, caller: SignedIn, stage: Stage) -> Response:
    """The part that looks again by itself."""
    with db.read() as tx:
        return page(request, "web/now.html", view=NowView(now(request, tx, caller, stage)))


def now(request: Request, tx: Tx, caller: Principal, stage: StageRef) -> Now:
    """Deploys that run, wait, or ended a moment ago, of content that ``caller`` may see; oldest first, so that nothing jumps."""
    fresh = or_(Task.state.in_(reading.UNDER_WAY), Task.ended_at > clock.now() - JUST_NOW)
    newest = select(func.max(Task.id)).scalar_subquery()  # pages ask every second: never walk through a month of tasks
    recent = Task.id > newest - TASKS_LOOKED_THROUGH
    chosen = select(Task).where(recent, Task.kind == reading.DEPLOY, Task.subject_kind == "content", fresh)
    tasks = list(tx.scalars(chosen.order_by(Task.id.desc()).limit(BUILDS_SHOWN * 4)))
    ids = {task.subject_id for task in tasks}
    rows = {row.id: row for row in tx.scalars(visible_of(caller, stage, ids))}
    latest = {task.subject_id: task for task in reversed(tasks) if task.subject_id in rows}
    shown = sorted(latest.values(), key=lambda task: task.id)[-BUILDS_SHOWN:]
    owners = reading.people(tx, {rows[task.subject_id or 0].owner_id for task in shown})
    base = frame(request).base
    builds = []
    for task in shown:
        row = rows[task.subject_id or 0]
        owner = owners.get(row.owner_id)
        builds.append(_build(tx, caller, task, row, owner.display_name if owner else "—", base))
    return Now(builds, _sentence(request, builds), any(task.state in reading.UNDER_WAY for task in shown))


def _build(tx: Tx, caller: Principal, task: Task, row: Content, owner: str, base: str) -> Build:
    address = f"{base}/_/content/{row.guid}"
    may_read = may(caller, Permission.CONTENT_READ, service.resource_of(tx, row))
    words = task.error or reading.last_words(tx, task) if may_read else ""
    step = "Waits for a free place" if task.state == TaskState.QUEUED else words
    mode = row.app_mode if row.app_mode != "unknown" else str(task.args.get("app_mode", ""))
    return Build(
        title=row.title or row.name,
        kind=kind_shown(mode),
        owner=owner,
        badge=reading.deploy_badge(task),
        step=step,
        took=reading.took(task),
        href=address,
        log=f"{address}/log?of=deploy" if may_read else "",
    )


def _sentence(request: Request, builds: Sequence[Build]) -> str:
    """Like "1 building, 2 live": the words of the states, counted."""
    texts = catalogue(frame(request).language)
    counts = Counter(build.badge.word for build in builds)
    return ", ".join(f"{count} {texts.gettext(word)}" for word, count in counts.items())


def todo(tx: Tx, caller: Principal, stage: StageRef, base: str) -> list[ToDo]:
    """What does not work, with its cause in one line: for operators of everybody, for others of what is theirs."""
    wanted = service.Wanted(owner_id=None if may(caller, Permission.JOB_LIST) else caller.id)
    rows = service.list_content(tx, caller, stage, wanted=wanted, limit=LOOKED_THROUGH)
    standings = reading.standing(tx, rows)
    found = []
    for row in rows:
        stands = standings[row.id]
        cause = _cause(row, stands)
        if cause:
            title = row.title or row.name
            link = f"{base}/_/content/{row.guid}/log"
            found.append(ToDo(Badge("failed", "bad"), f"{title}: {cause}", "Look at the log", link))
    return found[:CARDS_SHOWN]


def _cause(row: Content, stands: reading.Standing) -> str:
    if stands.deploy is not None and stands.deploy.state == TaskState.FAILED:
        return stands.deploy.error or "The last deploy failed."
    if reading.badge(row, stands).tone == "bad" and stands.worker is not None:
        return stands.worker.reason or "It does not start."
    return ""
