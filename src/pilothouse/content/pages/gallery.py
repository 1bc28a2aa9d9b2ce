"""The content gallery: everything one may open, found by title, kind and owner."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page, server_url
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import KINDS, Chip, Gallery

router = APIRouter(prefix="/_/content")
PAGE_SIZE = 60
MINE = "me"


@router.get("")
def show(  # noqa: PLR0913 - each is one filter
    request: Request,
    db: Db,
    caller: SignedIn,
    stage: Stage,
    q: str = "",
    kind: str = "",
    owner: str = "",
    view: str = "cards",
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    filters = {
        k: v for k, v in (("q", q), ("kind", kind), ("owner", owner), ("view", view if view == "table" else "")) if v
    }
    base = frame(request).base
    with db.read() as tx:
        rows = service.list_content(
            tx,
            caller,
            stage,
            owner_id=caller.id if owner == MINE else None,
            search=q.strip(),
            app_modes=[kind] if kind else (),
            limit=PAGE_SIZE + 1,
            offset=after,
        )
        cards = reading.cards(tx, rows[:PAGE_SIZE], base)
    has_more = len(rows) > PAGE_SIZE
    shown = Gallery(
        cards=cards,
        sentence=_sentence(request, after, len(cards), has_more),
        query=q,
        chips=_chips(base, filters),
        as_table=view == "table",
        cards_href=_link(base, filters | {"view": ""}),
        table_href=_link(base, filters | {"view": "table"}),
        filtered=bool(q or kind or owner or after),
        may_publish=may(caller, Permission.CONTENT_CREATE),
        server=server_url(request),
        more=_link(base, filters | {"after": str(after + PAGE_SIZE)}) if has_more else "",
    )
    return page(request, "content/gallery.html", view=shown)


def _sentence(request: Request, after: int, count: int, has_more: bool) -> str:
    texts = catalogue(frame(request).language)
    if after or has_more:
        return texts.gettext("Items %(first)s to %(last)s") % {"first": after + 1, "last": after + count}
    return texts.ngettext("%(n)s item", "%(n)s items", count) % {"n": count}


def _chips(base: str, filters: dict[str, str]) -> list[Chip]:
    """All, yours, and one for each kind; choosing a chosen one again takes it away."""
    chosen, mine = filters.get("kind", ""), filters.get("owner") == MINE
    every = filters | {"kind": "", "owner": ""}
    chips = [Chip("All", _link(base, every), not chosen and not mine)]
    chips.append(Chip("Yours", _link(base, filters | {"owner": "" if mine else MINE}), mine))
    for key, shown in KINDS.items():
        chips.append(Chip(shown.label, _link(base, filters | {"kind": "" if key == chosen else key}), key == chosen))
    return chips


def _link(base: str, filters: dict[str, str]) -> str:
    sent = urlencode({k: v for k, v in filters.items() if v})
    return f"{base}/_/content?{sent}" if sent else f"{base}/_/content"
