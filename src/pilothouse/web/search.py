"""One search over content, data and people. Only what the reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.pages import data, reading
from pilothouse.content.pages.views import Card
from pilothouse.identity import service as identity
from pilothouse.web.people import cards as person_cards
from pilothouse.web.people_views import PersonCard

router = APIRouter(prefix="/_/search")
CONTENT_SHOWN, DATA_SHOWN, PEOPLE_SHOWN, QUERY_LIMIT = 12, 8, 8, 100


@dataclass(frozen=True)
class SearchView:
    """What was found; the addresses lead to all of a kind, and are empty where all of it stands here."""

    query: str
    content: Sequence[Card] = ()
    data: Sequence[data.DataLine] = ()
    people: Sequence[PersonCard] = ()
    all_content: str = ""
    all_data: str = ""
    all_people: str = ""
    sentence: str = ""


@router.get("")
def show(
    request: Request, db: Db, caller: SignedIn, stage: Stage, q: Annotated[str, Query(max_length=QUERY_LIMIT)] = ""
) -> Response:
    """Nothing is searched for nothing."""
    query, texts = " ".join(q.split()), catalogue(frame(request).language)
    if not query:
        return page(request, "web/search.html", view=SearchView(""))
    base, asked = frame(request).base, urlencode({"q": query})
    with db.read() as tx:
        ids: list[list[int]] = [[], []]
        for number, category in service.found_content(tx, caller, stage, wanted=service.Wanted(search=query)):
            ids[category == data.PIN].append(number)
        rows = service.content_of_ids(tx, caller, stage, ids=ids[0][:CONTENT_SHOWN])
        pinned = service.content_of_ids(tx, caller, stage, ids=ids[1][:DATA_SHOWN])
        found = (
            identity.directory(tx, caller, words=query, page_size=PEOPLE_SHOWN)
            if may(caller, Permission.USER_LIST)
            else None
        )
        total = len(ids[0]) + len(ids[1]) + (found.total if found else 0)
        view = SearchView(
            query=query,
            content=reading.cards(tx, rows, base, caller),
            data=data.lines(request, tx, pinned, reading.cards(tx, pinned, base, caller)),
            people=person_cards(request, tx, caller, stage, found.items) if found else (),
            all_content=f"{base}/_/content?{asked}" if len(ids[0]) > len(rows) else "",
            all_data=f"{base}/_/data?{asked}" if len(ids[1]) > len(pinned) else "",
            all_people=f"{base}/_/people?{asked}" if found and found.total > PEOPLE_SHOWN else "",
            sentence=texts.ngettext("%(n)s find", "%(n)s finds", total) % {"n": f"{total:,}"},
        )
    return page(request, "web/search.html", view=view)
