"""The tree of tags, and tags on content (connect-wire-api §2.2, §2.3, §3.5)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from pilothouse.asgi.context import Caller, SignedIn
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, integer, text_or_none
from pilothouse.connect_api.content import shown
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.connect_api.errors import BodyUnreadable
from pilothouse.content import service

router = APIRouter()
WHAT = "tag id"


@router.get("/v1/tags")
def tags(caller: SignedIn, wire: WireOf, name: str | None = None, parent_id: str | None = None) -> list[dict[str, Any]]:
    parent = integer(parent_id, WHAT) if parent_id else None
    with wire.database.read() as tx:
        return [shapes.tag(tag) for tag in service.list_tags(tx, caller, name=name, parent_id=parent)]


@router.post("/v1/tags")
def create_tag(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        parent = _number(body, "parent_id")
        above = service.get_tag(tx, caller, parent) if parent is not None else None
        return shapes.tag(service.create_tag(tx, caller, name=text_or_none(body, "name") or "", parent=above))


@router.get("/v1/tags/{id}")
def tag(id: str, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.tag(service.get_tag(tx, caller, integer(id, WHAT)))


@router.patch("/v1/tags/{id}")
def change_tag(id: str, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    """What is not sent stays; ``parent_id: null`` makes it a category."""
    changes: dict[str, Any] = {}
    if (name := text_or_none(body, "name")) is not None:
        changes["name"] = name
    with wire.database.write() as tx:
        row = service.get_tag(tx, caller, integer(id, WHAT))
        if "parent_id" in body:
            parent = _number(body, "parent_id")
            changes["parent"] = service.get_tag(tx, caller, parent) if parent is not None else None
        return shapes.tag(service.change_tag(tx, caller, row, changes=changes))


@router.delete("/v1/tags/{id}")
def delete_tag(id: str, caller: SignedIn, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        service.delete_tag(tx, caller, service.get_tag(tx, caller, integer(id, WHAT)))
    return Response(status_code=204)


@router.get("/v1/tags/{id}/content")
def content_of_tag(id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """With what has a tag below it."""
    with wire.database.read() as tx:
        rows = service.content_of_tag(tx, caller, stage, service.get_tag(tx, caller, integer(id, WHAT)))
        return shown(tx, caller, stage, wire, rows)


@router.get("/v1/content/{guid}/tags")
def tags_of_content(guid: Guid, caller: Caller, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return [shapes.tag(each) for each in service.tags_on(tx, [row])[row.id]]


@router.post("/v1/content/{guid}/tags")
def add_tag(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """Answers with all tags that the content has now."""
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        chosen = service.get_tag(tx, caller, integer(body.get("tag_id"), WHAT))
        return [shapes.tag(each) for each in service.add_tag(tx, caller, row, tag=chosen)]


@router.delete("/v1/content/{guid}/tags/{tag_id}")
def remove_tag(guid: Guid, tag_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        service.remove_tag(tx, caller, row, tag=service.get_tag(tx, caller, integer(tag_id, WHAT)))
    return Response(status_code=204)


def _number(body: dict[str, Any], name: str) -> int | None:
    """A tag id that a client may send as text, number, null, or (R) empty text."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BodyUnreadable(f"“{name}” must be a tag id.")
    return integer(value, WHAT)
