"""The small picture of content, by its present and its older endpoints (connect-wire-api §2.2). It is shown at ``content/{guid}/__thumbnail__``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from pilothouse.asgi.context import SignedIn
from pilothouse.base.access import Permission, Principal
from pilothouse.base.errors import NotFound
from pilothouse.connect_api.body import Guid
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.content import service
from pilothouse.content.pages.picture import SentPicture
from pilothouse.stages import StageRef

router = APIRouter()


class NoThumbnail(NotFound):
    """This content has no picture of its own."""

    code = "connect-api/no-thumbnail"


@router.put("/v1/content/{guid}/thumbnail")
def set_thumbnail(guid: Guid, image: SentPicture, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """The raw bytes of a picture."""
    return _set(guid, image, caller, stage, wire)


@router.delete("/v1/content/{guid}/thumbnail")
def remove_thumbnail(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    return _remove(guid, caller, stage, wire)


@router.get("/applications/{guid}/image")
def image(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.read() as tx:
        found = service.thumbnail(tx, caller, service.get_content(tx, caller, stage, guid))
        if found is None:
            raise NoThumbnail
        return Response(found.image, media_type=found.media_type, headers={"X-Content-Type-Options": "nosniff"})


@router.post("/applications/{guid}/image")
def set_image(guid: Guid, image: SentPicture, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    return _set(guid, image, caller, stage, wire)


@router.delete("/applications/{guid}/image")
def remove_image(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    return _remove(guid, caller, stage, wire)


def _set(guid: str, image: bytes, caller: Principal, stage: StageRef, wire: Wire) -> dict[str, Any]:
    with wire.database.write() as tx:
        service.set_thumbnail(tx, caller, service.get_content(tx, caller, stage, guid), image=image)
    return {"content_guid": guid}


def _remove(guid: str, caller: Principal, stage: StageRef, wire: Wire) -> Response:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid, Permission.CONTENT_UPDATE)
        if service.thumbnail(tx, caller, row) is None:
            raise NoThumbnail
        service.set_thumbnail(tx, caller, row, image=None)
    return Response(status_code=204)
