"""The content itself, in a frame."""

from __future__ import annotations

from fastapi import APIRouter, Response

from pilothouse.base.access import Permission
from pilothouse.content.pages.visit import VisitOf

router = APIRouter(prefix="/_/content/{guid}")


@router.get("")
def show(visit: VisitOf) -> Response:
    return visit.show("content/open.html", lambda tx, content: {}, permission=Permission.CONTENT_VIEW)
