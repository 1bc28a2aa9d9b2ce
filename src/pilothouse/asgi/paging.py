"""Paging: by offset (``results``, ``current_page``, ``total``), and by cursor (``paging``, ``results``) for lists that grow."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Query, Request
from pydantic import BaseModel, Field

from pilothouse.base.errors import Invalid
from pilothouse.db.turns import Part, Turn

T = TypeVar("T")

#: So that the offset, at 500 items a page, fits the database's integers.
PAGES_LIMIT = 10**9
PageNumber = Annotated[int, Query(ge=1, le=PAGES_LIMIT, description="Pages count from 1.")]
PageSize = Annotated[int, Query(ge=1, le=500, description="Items on a page.")]
#: The number of a row, in a path or a query: what fits the column and nothing else.
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Page(BaseModel, Generic[T]):
    """One page of a list; past the end ``results`` is empty."""

    results: list[T]
    current_page: int
    total: int


class CursorInvalid(Invalid):
    """This cursor is not valid. Take the one that the page before or after gave, or leave it out to begin anew."""

    code = "asgi/cursor-invalid"


_CURSOR = re.compile(r"([ab])([0-9]{1,18})|(z)")


def turns(*, order: str = "asc_order", limit: int = 500) -> Callable[..., Turn]:
    """A dependency that reads a `Turn` from ``limit``, ``next``, ``previous`` and the order, whose name ``order`` is."""

    def turn(
        limit: int = Query(limit, ge=1, le=limit, description="Items on a page."),
        next: str = Query("", description="A cursor: what follows it."),
        previous: str = Query("", description="A cursor: what comes before it."),
        ascending: bool = Query(True, alias=order, description="Oldest first."),
    ) -> Turn:
        if next and previous:
            raise CursorInvalid("Send “next” or “previous”, not both.")
        return _turn(next or previous, limit=limit, ascending=ascending)

    return turn


def cursor_page(request: Request, api_url: str, part: Part[T], show: Callable[[T], Any]) -> dict[str, Any]:
    """One page as the wire has it: exactly ``paging`` and ``results``. ``api_url`` is the API's address as clients reach it, such
    as ``https://pilot.example/__api__``; the addresses in the answer keep the request's other query fields. Absent is null.
    """
    before, after = _cursor("b", part.first), _cursor("a", part.last)
    cursors = {"previous": before if part.has_earlier else None, "next": after if part.has_later else None}
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))

    def address(name: str = "", cursor: str | None = None) -> str:
        kept = [
            (n, v) for n, v in parse_qsl(request.url.query, keep_blank_values=True) if n not in ("next", "previous")
        ]
        query = urlencode([*kept, (name, cursor)] if cursor else kept)
        return f"{api_url}{path}" + (f"?{query}" if query else "")

    return {
        "paging": {
            "cursors": cursors,
            "first": address(),
            "previous": address("previous", cursors["previous"]) if cursors["previous"] else None,
            "next": address("next", cursors["next"]) if cursors["next"] else None,
            "last": address("previous", _encoded("z")),
        },
        "results": [show(row) for row in part.rows],
    }


def _turn(cursor: str, *, limit: int, ascending: bool) -> Turn:
    if not cursor:
        return Turn(limit, ascending)
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise CursorInvalid from None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise CursorInvalid
    if found[3]:
        return Turn(limit, ascending, is_last=True)
    after, before = (int(found[2]), None) if found[1] == "a" else (None, int(found[2]))
    return Turn(limit, ascending, after=after, before=before)


def _cursor(way: str, row_id: int | None) -> str | None:
    return None if row_id is None else _encoded(f"{way}{row_id}")


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
