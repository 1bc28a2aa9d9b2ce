"""The data shelf: pins that one may read, and what one pin holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from pilothouse.asgi.context import Db, SignedIn, Stage
from pilothouse.asgi.formats import size
from pilothouse.asgi.rendering import frame, page, server_url
from pilothouse.asgi.texts import catalogue
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.models import Bundle, Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.views import Card, VisitorLine
from pilothouse.content.pages.visit import Visit
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.identity.pages.views import initials
from pilothouse.storage.contract import BlobMissing
from pilothouse.storage.peek import Peek, peek

router = APIRouter(prefix="/_/data")
PAGE_SIZE, QUERY_LIMIT = 60, 100
PIN = "pin"
#: Facts of ``data.txt`` that people read, with their words.
FACTS = (("type", "Type"), ("file", "File"), ("created", "Written"), ("pin_hash", "Hash"), ("tags", "Tags"))


@dataclass(frozen=True)
class DataLine:
    card: Card
    versions: str
    size: str
    readers: str


@dataclass(frozen=True)
class ShelfView:
    lines: Sequence[DataLine]
    sentence: str
    query: str
    command: str
    previous: str = ""
    next: str = ""


@dataclass(frozen=True)
class PinView:
    """What one pin holds. ``why`` says why there is nothing of it to show."""

    facts: Sequence[tuple[str, str]]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str
    is_cut: bool
    why: str
    python: str
    r: str
    readers: Sequence[VisitorLine]
    download: str


class Asked(BaseModel):
    q: str = Field("", max_length=QUERY_LIMIT)
    after: int = Field(0, ge=0, le=10**9)

    def link(self, base: str, **changes: str | int) -> str:
        sent = {name: value for name, value in (self.model_dump() | changes).items() if value}
        return f"{base}/_/data?{urlencode(sent)}" if sent else f"{base}/_/data"


@router.get("")
def show(request: Request, db: Db, caller: SignedIn, stage: Stage, asked: Annotated[Asked, Query()]) -> Response:
    base, texts = frame(request).base, catalogue(frame(request).language)
    wanted = service.Wanted(search=asked.q, category=PIN)
    with db.read() as tx:
        rows, total = service.page_of_content(tx, caller, stage, wanted=wanted, limit=PAGE_SIZE, offset=asked.after)
        view = ShelfView(
            lines=lines(request, tx, rows, reading.cards(tx, rows, base, caller)),
            sentence=texts.ngettext("%(n)s dataset", "%(n)s datasets", total) % {"n": f"{total:,}"},
            query=asked.q,
            command=f'pins.board_connect(server_url="{server_url(request)}", api_key=KEY).pin_write(frame, "NAME", type="csv")',
            previous=asked.link(base, after=max(asked.after - PAGE_SIZE, 0)) if asked.after else "",
            next=asked.link(base, after=asked.after + PAGE_SIZE) if asked.after + len(rows) < total else "",
        )
    return page(request, "content/data.html", view=view)


def lines(request: Request, tx: Tx, rows: Sequence[Content], cards: Sequence[Card]) -> list[DataLine]:
    """Pins that somebody may see, with their figures."""
    texts, figures = catalogue(frame(request).language), service.datasets_of(tx, rows)
    return [
        DataLine(
            card,
            texts.ngettext("%(n)s version", "%(n)s versions", figures[row.id].versions)
            % {"n": figures[row.id].versions},
            size(figures[row.id].size_bytes),
            texts.ngettext("%(n)s reader", "%(n)s readers", figures[row.id].readers) % {"n": figures[row.id].readers},
        )
        for row, card in zip(rows, cards, strict=True)
    ]


def peek_at(visit: Visit) -> Peek | None:
    """What the active version of a pin holds, read anew by a child without rights; ``None`` for content that is no pin."""
    with visit.db.read() as tx:
        content = visit.content(tx)
        bundle = tx.get(Bundle, content.bundle_id) if content.bundle_id and content.category == PIN else None
        digest = bundle.digest if bundle is not None else ""
    if not digest:
        return None
    try:
        return peek(visit.request.app.state.blobs.file(digest), visit.request.app.state.custodian)
    except BlobMissing:
        return Peek(why="missing")


def pin_view(visit: Visit, tx: Tx, content: Content, found: Peek) -> PinView:
    """How what was ``found`` in a pin is shown."""
    owner, readers = tx.get(User, content.owner_id), list[service.Visits]()
    if may(visit.caller, Permission.CONTENT_READ, service.resource_of(tx, content)):
        readers = service.readers_of(tx, visit.caller, content)
    server, name = server_url(visit.request), f"{owner.username if owner else ''}/{content.name}"
    file = str(found.facts.get("file", ""))
    return PinView(
        facts=[(words, _shown(found.facts, key)) for key, words in FACTS if _shown(found.facts, key)],
        head=found.rows[0] if found.rows else (),
        rows=found.rows[1:],
        text=found.text,
        is_cut=found.is_cut,
        why=found.why,
        python=f'pins.board_connect(server_url="{server}", api_key=KEY).pin_read("{name}")',
        r=f'pins::pin_read(pins::board_connect(server = "{server}", key = KEY), "{name}")',
        readers=[
            VisitorLine(one.user.display_name, initials(one.user.display_name), one.visits, one.last_at)
            for one in readers
        ],
        download=f"{visit.address(tx, content)}{file}" if file and "/" not in file and not file.startswith("[") else "",
    )


def _shown(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key, "")
    return ", ".join(str(v) for v in value) if isinstance(value, list) else str(value)
