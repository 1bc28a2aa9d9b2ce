"""The home page as an administrator composes it: headings and the content below each, in the order they choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.rendering import frame, page
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import Invalid
from pilothouse.content import service as content
from pilothouse.content.contract import ContentUnknown
from pilothouse.content.pages import reading
from pilothouse.content.service.content import visible_of
from pilothouse.db import Database, Tx
from pilothouse.stages import StageRef
from pilothouse.web import service
from pilothouse.web.views import Shelf

router = APIRouter(prefix="/_/admin/home")
CANDIDATES_SHOWN = 300
Number = Annotated[int, Form(ge=0, le=100)]
#: Headings with content ids, as they are edited.
Sections = list[tuple[str, list[int]]]


@dataclass(frozen=True)
class LandingView:
    shelves: Sequence[Shelf]
    candidates: Sequence[tuple[str, str]]
    stage: str
    problem: str = ""
    done: str = ""


def shelves(tx: Tx, caller: Principal, stage: StageRef, base: str) -> list[Shelf]:
    """What ``caller`` may open of it; a heading with nothing below it is left out."""
    sections = service.landing(tx, stage)
    ids = {number for section in sections for number in section.content_ids}
    rows = {row.id: row for row in tx.scalars(visible_of(caller, stage, ids))} if ids else {}
    cards = dict(zip(rows, reading.cards(tx, list(rows.values()), base, caller), strict=True))
    found = [Shelf(s.heading, [cards[n] for n in s.content_ids if n in cards]) for s in sections]
    return [shelf for shelf in found if shelf.cards]


@router.get("")
def show(request: Request, db: Db, caller: SignedIn, stage: Stage) -> Response:
    return _show(request, db, caller, stage)


@router.post("/add")
def add(request: Request, db: Db, caller: SignedIn, stage: Stage, heading: Annotated[str, Form()] = "") -> Response:
    """One more heading, at the end."""
    return _change(request, db, caller, stage, lambda tx, sections: sections.append((heading, [])))


@router.post("/rename")
def rename(
    request: Request, db: Db, caller: SignedIn, stage: Stage, section: Number, heading: Annotated[str, Form()] = ""
) -> Response:
    def change(tx: Tx, sections: Sections) -> None:
        sections[section] = (heading, sections[section][1])

    return _change(request, db, caller, stage, change)


@router.post("/remove")
def remove(request: Request, db: Db, caller: SignedIn, stage: Stage, section: Number) -> Response:
    """The heading goes; the content stays what it is."""
    return _change(request, db, caller, stage, lambda tx, sections: sections.pop(section) and None)


@router.post("/move")
def move(
    request: Request, db: Db, caller: SignedIn, stage: Stage, section: Number, by: Annotated[int, Form(ge=-1, le=1)] = 0
) -> Response:
    def change(tx: Tx, sections: Sections) -> None:
        sections.insert(max(section + by, 0), sections.pop(section))

    return _change(request, db, caller, stage, change)


@router.post("/put")
def put(
    request: Request, db: Db, caller: SignedIn, stage: Stage, section: Number, guid: Annotated[str, Form()] = ""
) -> Response:
    """Content at the end of a section; what is there already moves there."""

    def change(tx: Tx, sections: Sections) -> None:
        row = content.get_content(tx, caller, stage, guid.strip())
        heading, ids = sections[section]
        sections[section] = (heading, [*(n for n in ids if n != row.id), row.id])

    return _change(request, db, caller, stage, change)


@router.post("/take")
def take(
    request: Request, db: Db, caller: SignedIn, stage: Stage, section: Number, guid: Annotated[str, Form()] = ""
) -> Response:
    def change(tx: Tx, sections: Sections) -> None:
        row = content.get_content(tx, caller, stage, guid)
        heading, ids = sections[section]
        sections[section] = (heading, [n for n in ids if n != row.id])

    return _change(request, db, caller, stage, change)


def _change(
    request: Request, db: Database, caller: Principal, stage: StageRef, change: Callable[[Tx, Sections], Any]
) -> Response:
    require(caller, Permission.CONTENT_FEATURE)
    try:
        with db.write() as tx:
            sections: Sections = [
                (row.heading, [int(n) for n in row.content_ids]) for row in service.landing(tx, stage)
            ]
            change(tx, sections)
            service.compose(tx, caller, stage, sections=sections)
    except IndexError:
        return _show(request, db, caller, stage, status=422, problem="This heading is gone. Look at what is left.")
    except (Invalid, ContentUnknown) as error:
        return _show(request, db, caller, stage, status=422, problem=str(error))
    return _show(request, db, caller, stage, done="Saved. Everybody sees it at the next page load.")


def _show(
    request: Request, db: Database, caller: Principal, stage: StageRef, *, status: int = 200, **changes: Any
) -> Response:
    require(caller, Permission.CONTENT_FEATURE)
    base = frame(request).base
    with db.read() as tx:
        sections = service.landing(tx, stage)
        ids = {n for section in sections for n in section.content_ids}
        rows = list(tx.scalars(visible_of(caller, stage, ids)))
        cards = dict(zip((row.id for row in rows), reading.cards(tx, rows, base, caller), strict=True))
        some = content.list_content(tx, caller, stage, limit=CANDIDATES_SHOWN)
        view = LandingView(
            shelves=[Shelf(s.heading, [cards[n] for n in s.content_ids if n in cards]) for s in sections],
            candidates=sorted(((row.guid, row.title or row.name) for row in some), key=lambda one: one[1].lower()),
            stage=stage.title,
            **changes,
        )
    return page(request, "web/landing.html", status=status, view=view)
