"""Announcements: written by administrators, shown on top of every page, put away by whoever has read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.notices import PUT_AWAY, put_away_cookie
from pilothouse.asgi.paging import RowId
from pilothouse.asgi.rendering import Badge, page
from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.content.pages import reading
from pilothouse.db import Database
from pilothouse.web import service
from pilothouse.web.service.announcing import AnnouncementInvalid

router = APIRouter(prefix="/_")
A_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class AnnouncementLine:
    words: str
    badge: Badge
    by: str
    at: datetime
    until: datetime | None
    end: str


@dataclass(frozen=True)
class AnnouncementsView:
    lines: Sequence[AnnouncementLine]
    typed: str = ""
    until: str = ""
    wrong: str = ""
    done: str = ""


@router.get("/admin/announcements")
def show(request: Request, db: Db, caller: SignedIn) -> Response:
    return _show(request, db, caller)


@router.post("/admin/announcements")
def announce(
    request: Request, db: Db, caller: SignedIn, words: Annotated[str, Form()] = "", until: Annotated[str, Form()] = ""
) -> Response:
    """``until`` is the last day on which it is shown, by UTC."""
    try:
        last = datetime.combine(date.fromisoformat(until), time.max, UTC) if until else None
        with db.write() as tx:
            service.announce(tx, caller, words=words, until=last)
    except ValueError:
        return _show(request, db, caller, status=422, typed=words, until=until, wrong=str(AnnouncementInvalid()))
    except (Conflict, Invalid) as error:
        return _show(request, db, caller, status=422, typed=words, until=until, wrong=str(error))
    return _show(request, db, caller, done="Everybody who is signed in reads it now.")


@router.post("/admin/announcements/{number}/end")
def end(request: Request, db: Db, caller: SignedIn, number: RowId) -> Response:
    with db.write() as tx:
        service.end_announcement(tx, caller, number)
    return _show(request, db, caller, done="It is shown no longer.")


@router.post("/announcements/{number}/away")
def put_away(request: Request, caller: SignedIn, number: RowId) -> Response:
    """No longer shown in this browser; nothing is kept of it anywhere else."""
    answer = HTMLResponse("")
    answer.set_cookie(PUT_AWAY, put_away_cookie(request, number), A_YEAR_S, path="/", httponly=True, samesite="lax")
    return answer


def _show(request: Request, db: Database, caller: Principal, *, status: int = 200, **changes: Any) -> Response:
    with db.read() as tx:
        rows = service.announcements(tx, caller)
        people = reading.people(tx, {row.created_by_id for row in rows if row.created_by_id})
        lines = []
        for row in rows:
            is_shown = row.ended_at is None and (row.until is None or row.until > clock.now())
            by = people.get(row.created_by_id or 0)
            lines.append(
                AnnouncementLine(
                    words=row.words,
                    badge=Badge("shown", "good") if is_shown else Badge("ended", "off"),
                    by=by.display_name if by else "—",
                    at=row.created_at,
                    until=row.until,
                    end=f"/_/admin/announcements/{row.id}/end" if is_shown else "",
                )
            )
    return page(request, "web/announcements.html", status=status, view=AnnouncementsView(lines, **changes))
