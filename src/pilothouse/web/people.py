"""People: who is there and what they publish. Only what the reader may see of it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.texts import Catalogue, catalogue
from pilothouse.base.access import Permission, Principal, may, require
from pilothouse.content import service
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Filter
from pilothouse.db import Tx
from pilothouse.identity import service as identity
from pilothouse.identity.models import User
from pilothouse.identity.pages.views import initials
from pilothouse.stages import StageRef
from pilothouse.web.activity import news_lines
from pilothouse.web.people_views import PeopleView, PersonCard, PersonView

router = APIRouter(prefix="/_/people")
PAGE_SIZE, CARDS_SHOWN, NEWS_SHOWN = 48, 12, 10
QUERY_LIMIT = 100


class Asked(BaseModel):
    """What the address says."""

    q: str = Field("", max_length=QUERY_LIMIT)
    department: str = ""
    p: int = Field(1, ge=1, le=100_000)

    def link(self, base: str, **changes: str | int) -> str:
        sent = {name: value for name, value in (self.model_dump() | changes).items() if value and value != 1}
        return f"{base}/_/people?{urlencode(sent)}" if sent else f"{base}/_/people"


@router.get("")
def show(request: Request, db: Db, caller: SignedIn, stage: Stage, asked: Annotated[Asked, Query()]) -> Response:
    base, texts = frame(request).base, catalogue(frame(request).language)
    with db.read() as tx:
        found = identity.directory(
            tx, caller, words=asked.q, department=asked.department, page=asked.p, page_size=PAGE_SIZE
        )
        names = identity.departments(tx, caller)
        known = names if asked.department in ("", *names) else [*names, asked.department]
        everywhere = ("", texts.gettext("all departments"))
        view = PeopleView(
            people=cards(request, tx, caller, stage, found.items),
            sentence=texts.ngettext("%(n)s person", "%(n)s people", found.total) % {"n": f"{found.total:,}"},
            query=asked.q,
            departments=_departments(texts, [everywhere, *((n, n) for n in known)], asked.department),
            filtered=bool(asked.q or asked.department),
            previous=asked.link(base, p=asked.p - 1) if asked.p > 1 else "",
            next=asked.link(base, p=asked.p + 1) if asked.p * PAGE_SIZE < found.total else "",
        )  # fmt: skip
    return page(request, "web/people.html", view=view)


def cards(request: Request, tx: Tx, caller: Principal, stage: StageRef, people: list[User]) -> list[PersonCard]:
    """Of people that somebody was shown, with how much of theirs ``caller`` may see."""
    base, texts = frame(request).base, catalogue(frame(request).language)
    counts = service.published_counts(tx, caller, stage, {user.id for user in people})
    return [
        PersonCard(
            name=user.display_name,
            initials=initials(user.display_name),
            title=user.title or "",
            place=_place(user),
            href=f"{base}/_/people/{user.guid}",
            publishes=_publishes(texts, counts.get(user.id, 0)),
        )
        for user in people
    ]


@router.get("/{guid}")
def person(request: Request, db: Db, caller: SignedIn, stage: Stage, guid: str) -> Response:
    base = frame(request).base
    require(caller, Permission.USER_LIST)
    with db.read() as tx:
        user = identity.get_user(tx, guid)
        wanted = service.Wanted(owner_id=user.id)
        rows = service.list_content(tx, caller, stage, wanted=wanted, limit=CARDS_SHOWN)
        lately = service.activity(tx, caller, stage, wanted=wanted, limit=NEWS_SHOWN * 3)[:NEWS_SHOWN]
        view = PersonView(
            name=user.display_name,
            initials=initials(user.display_name),
            username=user.username,
            title=user.title or "",
            department=user.department or "",
            site=user.site or "",
            mail=user.email,
            is_self=user.id == caller.id,
            cards=reading.cards(tx, rows, base, caller),
            all_href=f"{base}/_/content?{urlencode({'owner': user.username})}" if len(rows) == CARDS_SHOWN else "",
            news=news_lines(request, tx, lately),
            manage=f"{base}/_/admin/users?{urlencode({'prefix': user.username})}" if may(caller, Permission.USER_CREATE) else "",
        )  # fmt: skip
    return page(request, "web/person.html", view=view)


def _departments(texts: Catalogue, options: list[tuple[str, str]], value: str) -> Filter:
    return Filter("department", texts.gettext("in"), texts.gettext("Department"), options, value)


def _publishes(texts: Catalogue, count: int) -> str:
    if not count:
        return texts.gettext("publishes nothing you may open")
    return texts.ngettext("publishes %(n)s item", "publishes %(n)s items", count) % {"n": f"{count:,}"}


def _place(user: User) -> str:
    return " · ".join(part for part in (user.department, user.site) if part)
