"""How content is used (connect-wire-api §2.3, §3.5): visits and open connections page by page, all requests in one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from pilothouse.asgi.context import SignedIn
from pilothouse.asgi.paging import cursor_page, turns
from pilothouse.base.access import Principal
from pilothouse.base.errors import Invalid
from pilothouse.base.ids import is_guid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.connect_api.errors import MalformedId
from pilothouse.connect_api.shapes.usage import CONNECTION_VERSION, VISIT_VERSION
from pilothouse.content import service
from pilothouse.content.service import UsageWanted, Used
from pilothouse.db import Part, Turn
from pilothouse.stages import StageRef

router = APIRouter(prefix="/v1/instrumentation")
#: Hits are read from the database so many at a time.
BATCH = 1_000


class MomentInvalid(Invalid):
    """A moment is written as 2026-03-02T12:00:00Z."""

    code = "connect-api/moment-invalid"


def _wanted(
    content_guid: str = "",
    since: Annotated[str | None, Query(alias="from")] = None,
    until: Annotated[str | None, Query(alias="to")] = None,
) -> UsageWanted:
    guids = tuple(guid for guid in content_guid.split("|") if guid)
    for guid in guids:
        if not is_guid(guid):
            raise MalformedId(f"“{guid[:80]}” is not a GUID.")
    return UsageWanted(guids=guids, since=_moment("from", since), until=_moment("to", until))


Wanted = Annotated[UsageWanted, Depends(_wanted)]
Shape = Callable[[Used], dict[str, Any]]


@dataclass(frozen=True)
class _Paged:
    """A page that is asked for, and where its list is for clients."""

    request: Request
    api_url: str
    wanted: UsageWanted
    turn: Turn
    min_version: int


def _paged(
    request: Request,
    stage: StageOf,
    wire: WireOf,
    wanted: Wanted,
    turn: Annotated[Turn, Depends(turns())],
    min_data_version: int = 0,
) -> _Paged:
    return _Paged(request, f"{wire.public_url(stage.id)}/__api__", wanted, turn, min_data_version)


Paged = Annotated[_Paged, Depends(_paged)]


@router.get("/content/visits")
def visits(caller: SignedIn, stage: StageOf, wire: WireOf, paged: Paged) -> dict[str, Any]:
    """Page loads."""
    page = _page(wire, caller, stage, replace(paged.wanted, kind="visit"), paged.turn)
    return _shown(page, paged, shapes.visit, VISIT_VERSION)


@router.get("/shiny/usage")
def connections(caller: SignedIn, stage: StageOf, wire: WireOf, paged: Paged) -> dict[str, Any]:
    """Connections of apps that keep one open, from its opening to its end."""
    page = _page(wire, caller, stage, replace(paged.wanted, kind="socket"), paged.turn)
    return _shown(page, paged, shapes.connection, CONNECTION_VERSION)


@router.get("/content/hits", response_class=StreamingResponse)
def hits(caller: SignedIn, stage: StageOf, wire: WireOf, wanted: Wanted) -> StreamingResponse:
    """Every request, oldest first, as one array that is sent while it is read."""
    first = _page(wire, caller, stage, wanted, Turn(BATCH))  # what is refused is refused before the answer begins
    return StreamingResponse(_array(wire, caller, stage, wanted, first), media_type="application/json")


def _array(wire: Wire, caller: Principal, stage: StageRef, wanted: UsageWanted, page: Part[Used]) -> Iterator[bytes]:
    """Each batch is a transaction of its own, so that a slow reader holds up nobody."""
    separator = b"["
    while page.rows:
        yield separator + b",".join(orjson.dumps(shapes.hit(used)) for used in page.rows)
        separator = b","
        if not page.has_later:
            break
        page = _page(wire, caller, stage, wanted, Turn(BATCH, after=page.last))
    yield b"]" if separator == b"," else b"[]"


def _page(wire: Wire, caller: Principal, stage: StageRef, wanted: UsageWanted, turn: Turn) -> Part[Used]:
    with wire.database.read() as tx:
        return service.usage_page(tx, caller, stage, wanted=wanted, turn=turn)


def _shown(page: Part[Used], paged: _Paged, shape: Shape, version: int) -> dict[str, Any]:
    part = page if version >= paged.min_version else Part[Used]([], None, None, has_earlier=False, has_later=False)
    return cursor_page(paged.request, paged.api_url, part, shape)


def _moment(name: str, text: str | None) -> datetime | None:
    """A moment without a zone is in UTC. A plus that a client forgot to escape arrives as a space."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise MomentInvalid(f"“{name}” is “{text[:40]}”. {MomentInvalid()}") from None
