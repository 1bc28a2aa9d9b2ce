"""Content's picture: as it is sent, and at its own address, for programs and whoever may open it (the gateway's door has checked that)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pilothouse.asgi.context import Caller, Db, Stage
from pilothouse.content import service
from pilothouse.content.service.describing import THUMBNAIL_LIMIT, ThumbnailInvalid
from pilothouse.content.service.routes import THUMBNAIL

router = APIRouter()


async def _sent(request: Request) -> bytes:
    """The body of the request, as long as it can be a picture. Raises `ThumbnailInvalid`."""
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > THUMBNAIL_LIMIT:
            raise ThumbnailInvalid
    return bytes(received)


#: What a client sends to be the picture.
SentPicture = Annotated[bytes, Depends(_sent)]


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
