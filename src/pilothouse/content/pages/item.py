"""The content itself, in a frame."""

from __future__ import annotations

from fastapi import APIRouter, Response

from pilothouse.asgi.rendering import page
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages import reading
from pilothouse.content.pages.variables import deploy_command
from pilothouse.content.pages.visit import VisitOf
from pilothouse.db import Tx

router = APIRouter(prefix="/_/content/{guid}")


@router.get("")
def show(visit: VisitOf) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, str]:
        may_deploy = may(visit.caller, Permission.CONTENT_UPDATE, service.resource_of(tx, content))
        return {"command": deploy_command(visit, content) if may_deploy else ""}

    return visit.show("content/open.html", shown, permission=Permission.CONTENT_VIEW)


@router.get("/standing")
def standing(visit: VisitOf) -> Response:
    """The word for how it stands, looked at again by the head of its pages."""
    with visit.db.read() as tx:
        content = visit.content(tx)
        badge = reading.badge(content, reading.standing(tx, [content])[content.id])
    return page(visit.request, "content/standing.html", badge=badge, base=visit.base)
