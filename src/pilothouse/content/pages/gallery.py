"""The content gallery: everything one may open, found by words, kind, owner, department and tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page, server_url
from pilothouse.asgi.texts import catalogue
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, may
from pilothouse.content import service
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Filter, Gallery, kind_shown
from pilothouse.db import Tx
from pilothouse.identity import service as identity

router = APIRouter(prefix="/_/content")
PAGE_SIZE = 60
#: Nobody counts beyond: a page costs the same however many more there are.
COUNTED = 1_000
MINE = "me"
TABLE = "table"
COOKIE = "ph_gallery"
A_YEAR_S = 365 * 24 * 3600
SINCE: Mapping[str, tuple[str, timedelta]] = {
    "day": ("in the last 24 hours", timedelta(days=1)),
    "week": ("in the last 7 days", timedelta(days=7)),
    "month": ("in the last 30 days", timedelta(days=30)),
}


class Asked(BaseModel):
    """What the address of the gallery says. Values that mean nothing change nothing."""

    q: str = ""
    kind: str = ""
    owner: str = ""
    department: str = ""
    tag: str = ""
    updated: str = ""
    favourites: str = ""
    endorsed: str = ""
    view: str = ""
    after: int = Field(0, ge=0, le=10**9)

    def link(self, base: str, **changes: str | int) -> str:
        """The address of the gallery with these changes."""
        sent = {name: value for name, value in (self.model_dump() | changes).items() if value}
        return f"{base}/_/content?{urlencode(sent)}" if sent else f"{base}/_/content"

    @property
    def is_narrowed(self) -> bool:
        return any(v for name, v in self.model_dump().items() if name != "view")


@router.get("")
def show(request: Request, db: Db, caller: SignedIn, stage: Stage, asked: Annotated[Asked, Query()]) -> Response:
    """Cards or a table: as the address says, else as this browser saw it last."""
    base = frame(request).base
    as_table = (asked.view or request.cookies.get(COOKIE, "")) == TABLE
    with db.read() as tx:
        wanted = _wanted(tx, caller, asked)
        most = max(COUNTED, asked.after + PAGE_SIZE + 1)
        ids = service.content_ids(tx, caller, stage, wanted=wanted, limit=most)
        rows = service.content_of_ids(tx, caller, stage, ids=ids[asked.after : asked.after + PAGE_SIZE])
        total = len(ids)
        shown = Gallery(
            cards=reading.cards(tx, rows, base, caller),
            sentence=_sentence(request, asked.after, len(rows), total),
            query=asked.q,
            filters=_filters(request, asked, caller, service.choices(tx, caller, stage)),
            only_favourites=bool(asked.favourites),
            only_endorsed=bool(asked.endorsed),
            as_table=as_table,
            cards_href=asked.link(base, view="cards"),
            table_href=asked.link(base, view=TABLE),
            filtered=asked.is_narrowed,
            may_publish=may(caller, Permission.CONTENT_CREATE),
            server=server_url(request),
            previous=asked.link(base, after=max(asked.after - PAGE_SIZE, 0)) if asked.after else "",
            next=asked.link(base, after=asked.after + PAGE_SIZE) if asked.after + len(rows) < total else "",
        )
    answer = page(request, "content/gallery.html", view=shown)
    if "hx-request" in request.headers:
        answer.headers["HX-Replace-Url"] = asked.link(base)  # what the form sent, without its empty fields
    if asked.view:
        answer.set_cookie(
            COOKIE, TABLE if as_table else "cards", A_YEAR_S, path=f"{base}/_/content", httponly=True, samesite="lax"
        )
    return answer


def _wanted(tx: Tx, caller: Principal, asked: Asked) -> service.Wanted:
    owner_id = None
    if asked.owner:
        owner = identity.find_user(tx, asked.owner) if asked.owner != MINE else None
        owner_id = caller.id if asked.owner == MINE else owner.id if owner else 0
    since = SINCE.get(asked.updated)
    return service.Wanted(
        search=asked.q,
        owner_id=owner_id,
        app_modes=[asked.kind] if asked.kind else (),
        department=asked.department,
        tag=asked.tag,
        updated_since=clock.now() - since[1] if since else None,
        endorsed=bool(asked.endorsed),
        kept_by=(caller.id or 0) if asked.favourites else None,
    )


def _filters(request: Request, asked: Asked, caller: Principal, found: service.Choices) -> list[Filter]:
    """A sentence: show … from … in … about …, updated …. What leaves nothing to choose is left out."""
    said = catalogue(frame(request).language).gettext
    kinds = [(mode, said(kind_shown(mode).label)) for mode in found.app_modes]
    others = [(user.username, user.display_name) for user in found.owners if user.id != caller.id]
    spans = [(key, said(words)) for key, (words, _) in SINCE.items()]
    filters = (
        _filter("kind", said("Show"), said("Kind"), [("", said("everything")), *kinds], asked),
        _filter("owner", said("from"), said("Owner"), [("", said("everyone")), (MINE, said("me")), *others], asked),
        _filter("department", said("in"), said("Department"), [("", said("all departments")), *_same(found.departments)], asked),
        _filter("tag", said("about"), said("Tag"), [("", said("any topic")), *_same(found.tags)], asked),
        _filter("updated", said("updated"), said("Updated"), [("", said("whenever")), *spans], asked),
    )  # fmt: skip
    return [f for f in filters if len(f.options) > 1]


def _filter(name: str, before: str, label: str, options: list[tuple[str, str]], asked: Asked) -> Filter:
    value = str(getattr(asked, name))
    known = value in dict(options)
    return Filter(name, before, label, options if known else [*options, (value, value)], value)


def _same(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


def _sentence(request: Request, after: int, count: int, total: int) -> str:
    texts = catalogue(frame(request).language)
    if count < total:
        values = {"first": after + 1, "last": after + count, "total": f"{total:,}{'+' if total >= COUNTED else ''}"}
        return texts.gettext("Items %(first)s to %(last)s of %(total)s") % values
    return texts.ngettext("%(n)s item", "%(n)s items", total) % {"n": total}
