"""The administration's look at all content: what is used most, what by nobody, what fails, which runtimes are old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import page
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Fact, KindShown, kind_shown
from pilothouse.db import Tx
from pilothouse.web import home
from pilothouse.web.service import reviewing
from pilothouse.web.views import ToDo

router = APIRouter(prefix="/_/admin/content")


@dataclass(frozen=True)
class ContentLine:
    """One item, and the words that put it on its list."""

    title: str
    kind: KindShown
    href: str
    owner: str
    stage: str
    words: str


@dataclass(frozen=True)
class ContentOverview:
    facts: Sequence[Fact]
    used: Sequence[ContentLine]
    unused: Sequence[ContentLine]
    old: Sequence[ContentLine]
    failing: Sequence[ToDo]


@router.get("")
def show(request: Request, db: Db, caller: SignedIn) -> Response:
    with db.read() as tx:
        used, shares = reviewing.use_lately(tx, caller)
        unused, old = reviewing.unused(tx, caller), reviewing.oldest_runtimes(tx, caller)
        stages = request.app.state.stages.all()
        failing = [one for stage in stages for one in home.todo(tx, caller, stage, stage.path.rstrip("/"))]
        view = ContentOverview(
            facts=_facts(shares, used),
            used=_lines(request, tx, [(one.content, _used(one)) for one in used]),
            unused=_lines(request, tx, [(row, f"last deployed {row.last_deployed_at:%Y-%m-%d}") for row in unused]),
            old=_lines(request, tx, list(old)),
            failing=failing,
        )
    return page(request, "web/content_overview.html", view=view)


def _facts(shares: reviewing.Outside, used: Sequence[reviewing.Used]) -> list[Fact]:
    share = f"{100 * shares.outside / shares.visits:.0f} %" if shares.visits else "—"
    return [
        Fact(share, "of page loads come from outside the owner's department"),
        Fact(f"{shares.visits:,}", "page loads whose departments are known"),
        Fact(str(len(used)) if len(used) < reviewing.SHOWN else f"{reviewing.SHOWN}+", "items were opened"),
    ]


def _used(one: reviewing.Used) -> str:
    visits = "1 page load" if one.visits == 1 else f"{one.visits:,} page loads"
    people = f" by {one.people:,} people" if one.people > 1 else " by 1 person" if one.people else ""
    outside = f", {100 * one.outside / one.visits:.0f} % from other departments" if one.outside else ""
    return f"{visits}{people}{outside}"


def _lines(request: Request, tx: Tx, rows: Sequence[tuple[Content, str]]) -> list[ContentLine]:
    """Items of retired stages have no address."""
    stages = {stage.id: stage for stage in request.app.state.stages.all()}
    owners = reading.people(tx, {row.owner_id for row, _ in rows})
    return [
        ContentLine(
            title=row.title or row.name,
            kind=kind_shown(row.app_mode, row.category),
            href=f"{stages[row.stage_id].path}_/content/{row.guid}" if row.stage_id in stages else "",
            owner=owners[row.owner_id].display_name if row.owner_id in owners else "—",
            stage=stages[row.stage_id].title if row.stage_id in stages else "—",
            words=words,
        )
        for row, words in rows
    ]
