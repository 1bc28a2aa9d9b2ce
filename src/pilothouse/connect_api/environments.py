"""What the wire calls environments: images that content may ask for (connect-wire-api §2.3, §3.5)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from pilothouse.asgi.context import SignedIn
from pilothouse.base.ids import is_guid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, text_or_none
from pilothouse.connect_api.context import WireOf
from pilothouse.connect_api.errors import MalformedId
from pilothouse.content.service import images
from pilothouse.db import Tx
from pilothouse.identity import service as people
from pilothouse.identity.models import Group, User

router = APIRouter(prefix="/v1/environments")
#: Keys clients send that we take, and our name where it differs.
FIELDS = {
    "title": "title", "description": "description", "cluster_name": "cluster_name", "name": "name",
    "environment_type": "kind", "matching": "matching", "supervisor": "supervisor", "volume_mounts": "volume_mounts",
    **{language: language for language in images.LANGUAGES},
}  # fmt: skip


@router.get("")
def listed(caller: SignedIn, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        return [shapes.image(row) for row in images.list_images(tx, caller)]


@router.post("")
def create(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        return shapes.image(images.create_image(tx, caller, fields=_fields(body)))


@router.get("/{guid}")
def shown(guid: Guid, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.image(images.get_image(tx, caller, guid))


@router.put("/{guid}")
def change(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = images.get_image(tx, caller, guid)
        return shapes.image(images.change_image(tx, caller, row, fields=_fields(body)))


@router.delete("/{guid}")
def delete(guid: Guid, caller: SignedIn, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        images.delete_image(tx, caller, images.get_image(tx, caller, guid))
    return Response(status_code=204)


@router.get("/{guid}/permissions")
def permissions(guid: Guid, caller: SignedIn, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        row = images.get_image(tx, caller, guid)
        return [shapes.image_access(line, row, who) for line, who in images.image_access(tx, caller, row)]


@router.post("/{guid}/permissions")
def share(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = images.get_image(tx, caller, guid)
        who = _principal(tx, body)
        return shapes.image_access(images.share_image(tx, caller, row, principal=who), row, who)


@router.delete("/{guid}/permissions/{permission_guid}")
def unshare(guid: Guid, permission_guid: str, caller: SignedIn, wire: WireOf) -> Response:
    if not is_guid(permission_guid):
        raise MalformedId(f"“{permission_guid}” is not a GUID.")
    with wire.database.write() as tx:
        images.unshare_image(tx, caller, images.get_image(tx, caller, guid), guid=permission_guid)
    return Response(status_code=204)


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    return {FIELDS[name]: value for name, value in body.items() if name in FIELDS}


def _principal(tx: Tx, body: dict[str, Any]) -> User | Group:
    user, group = text_or_none(body, "user_guid"), text_or_none(body, "group_guid")
    if bool(user) == bool(group):
        raise images.ImageInvalid("Send “user_guid” or “group_guid”, one of them.")
    return people.get_user(tx, user) if user else people.get_group(tx, group or "")
