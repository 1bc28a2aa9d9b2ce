"""The content itself, in a frame."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from pilothouse.asgi.rendering import page
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.data import peek_at, pin_view
from pilothouse.content.pages.variables import deploy_command
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx
from pilothouse.storage.peek import Peek

router = APIRouter(prefix="/_/content/{guid}")


@router.get("")
def show(visit: VisitOf) -> Response:
    return _show(visit)


def _show(visit: Visit, **changes: Any) -> Response:
    found = peek_at(visit)
    if found is not None:
        return _show_pin(visit, found, **changes)

    def shown(tx: Tx, content: Content) -> dict[str, str]:
        may_deploy = may(visit.caller, Permission.CONTENT_UPDATE, service.resource_of(tx, content))
        return {"command": deploy_command(visit, content) if may_deploy else ""}

    return visit.show("content/open.html", shown, permission=Permission.CONTENT_VIEW, **changes)


def _show_pin(visit: Visit, found: Peek, **changes: Any) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        return {"view": pin_view(visit, tx, content, found)}

    return visit.show("content/pin.html", shown, permission=Permission.CONTENT_VIEW, **changes)


@router.post("/endorse")
def endorse(visit: VisitOf, words: Annotated[str, Form()] = "", withdrawn: Annotated[str, Form()] = "") -> Response:
    """Stand up for it with a sentence, or take that back."""

    def change(tx: Tx, content: Content) -> str:
        if withdrawn:
            service.withdraw(tx, visit.caller, content)
            return visit.said("It is no longer endorsed.")
        service.endorse(tx, visit.caller, content, words=words)
        return visit.said("You endorse it. A change of its owner ends that.")

    return visit.change(change, _show)


@router.get("/standing")
def standing(visit: VisitOf) -> Response:
    """The word for how it stands, looked at again by the head of its pages."""
    with visit.db.read() as tx:
        content = visit.content(tx)
        badge = reading.badge(content, reading.standing(tx, [content])[content.id])
    return page(visit.request, "content/standing.html", badge=badge, base=visit.base)
