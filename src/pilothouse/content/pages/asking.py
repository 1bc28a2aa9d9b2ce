"""Asking for access: the page that a refusal leads to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from pilothouse.asgi.rendering import page, to
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.content import service
from pilothouse.content.pages.talk import AskView
from pilothouse.content.pages.visit import VisitOf
from pilothouse.content.service.requests import AccessThere

router = APIRouter(prefix="/_/content/{guid}/ask")
Text = Annotated[str, Form()]


@router.get("")
def show(visit: VisitOf) -> Response:
    """Nothing of the item is told but whose it is, as its refusal did. Who may open it is led there."""
    with visit.db.read() as tx:
        content, owner = service.content_to_ask_for(tx, visit.caller, visit.stage, visit.guid)
        if visit.may_view(tx, content):
            return to(visit.request, f"/_/content/{visit.guid}")
        asked = service.open_request(tx, visit.caller, content)
        view = AskView(
            owner=owner.display_name if owner else "—",
            mail=owner.email if owner else "",
            path=f"{visit.base}/ask",
            typed=asked.words if asked else "",
            asked_at=asked.created_at if asked else None,
        )
    return page(visit.request, "content/ask.html", view=view)


@router.post("")
def ask(visit: VisitOf, words: Text = "") -> Response:
    try:
        with visit.db.write() as tx:
            content, _ = service.content_to_ask_for(tx, visit.caller, visit.stage, visit.guid)
            service.ask_for_access(tx, visit.caller, content, words=words)
    except AccessThere:
        return to(visit.request, f"/_/content/{visit.guid}")
    except (Conflict, Invalid) as error:
        with visit.db.read() as tx:
            _, owner = service.content_to_ask_for(tx, visit.caller, visit.stage, visit.guid)
            name, mail = (owner.display_name, owner.email) if owner else ("—", "")
        view = AskView(name, mail, f"{visit.base}/ask", typed=words, wrong=visit.said(str(error)))
        return page(visit.request, "content/ask.html", status=422, view=view)
    return show(visit)
