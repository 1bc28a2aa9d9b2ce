"""What colleagues published, by day. Only what the reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.texts import catalogue
from pilothouse.base import clock
from pilothouse.content import service
from pilothouse.content.pages.views import Filter, kind_shown
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.web.people_views import ActivityView, Day, NewsLine

router = APIRouter(prefix="/_/activity")
LOOKED_AT = 100


class Asked(BaseModel):
    """What the address says; ``before`` is where the page before ended."""

    department: str = ""
    tag: str = ""
    before: int = Field(0, ge=0, le=2**62)

    def link(self, base: str, **changes: str | int) -> str:
        sent = {name: value for name, value in (self.model_dump() | changes).items() if value}
        return f"{base}/_/activity?{urlencode(sent)}"


@router.get("")
def show(request: Request, db: Db, caller: SignedIn, stage: Stage, asked: Annotated[Asked, Query()]) -> Response:
    wanted = service.Wanted(department=asked.department, tag=asked.tag)
    with db.read() as tx:
        found = service.activity(tx, caller, stage, wanted=wanted, before=asked.before or None, limit=LOOKED_AT)
        lines = news_lines(request, tx, found)
        choices = service.choices(tx, caller, stage)
    more = found and sum(one.times for one in found) == LOOKED_AT
    view = ActivityView(
        days=[Day(name, list(some)) for name, some in groupby(lines, key=lambda line: _day(request, line))],
        filters=_filters(request, asked, choices),
        filtered=bool(asked.department or asked.tag),
        older=asked.link(frame(request).base, before=min(one.number for one in found)) if more else "",
    )
    return page(request, "web/activity.html", view=view)


def news_lines(request: Request, tx: Tx, found: Sequence[service.Published]) -> list[NewsLine]:
    """Lines of the feed for what the reader may see."""
    base, said = frame(request).base, catalogue(frame(request).language).gettext
    tags = service.tags_of(tx, [one.content for one in found])
    owners = {one.content.owner_id for one in found}
    departments = {user.id: user.department or "" for user in tx.scalars(select(User).where(User.id.in_(owners)))}
    lines = []
    for one in found:
        row, times = one.content, one.times
        again = said("brought %(n)s new versions of") % {"n": times} if times > 1 else said("brought a new version of")
        lines.append(
            NewsLine(
                kind=kind_shown(row.app_mode, row.category),
                title=row.title or row.name,
                href=f"{base}/_/content/{row.guid}",
                who=one.actor.display_name if one.actor else "",
                who_href=f"{base}/_/people/{one.actor.guid}" if one.actor and one.actor.deleted_at is None else "",
                verb=said("published") if one.is_first else again,
                department=row.department or departments.get(row.owner_id, ""),
                tags=tags[row.id],
                at=one.at,
            )
        )
    return lines


def _day(request: Request, line: NewsLine) -> str:
    said, today, day = catalogue(frame(request).language).gettext, clock.now().date(), line.at.date()
    known = {today: said("Today"), today - timedelta(days=1): said("Yesterday")}
    return known.get(day, day.isoformat())


def _filters(request: Request, asked: Asked, found: service.Choices) -> list[Filter]:
    said = catalogue(frame(request).language).gettext
    named = (
        ("department", said("in"), said("Department"), said("all departments"), found.departments, asked.department),
        ("tag", said("about"), said("Tag"), said("any topic"), found.tags, asked.tag),
    )
    made = []
    for name, before, label, anything, names, value in named:
        known = names if value in ("", *names) else [*names, value]
        made.append(Filter(name, before, label, [("", anything), *((n, n) for n in known)], value))
    return [one for one in made if len(one.options) > 1]
