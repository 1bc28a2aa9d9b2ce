"""Content's picture at its own address, for programs and for whoever may open it. The gateway's door has checked that they may."""

from __future__ import annotations

from fastapi import APIRouter, Response

from pilothouse.asgi.context import Caller, Db, Stage
from pilothouse.content import service
from pilothouse.content.service.routes import THUMBNAIL

router = APIRouter()


@router.get(f"/content/{{guid}}/{THUMBNAIL}")
def picture(guid: str, db: Db, caller: Caller, stage: Stage) -> Response:
    """204 where nobody chose one."""
    with db.read() as tx:
        found = service.thumbnail(tx, caller, service.get_content(tx, caller, stage, guid))
    if found is None:
        return Response(status_code=204)
    headers = {
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(found.image, media_type=found.media_type, headers=headers)
