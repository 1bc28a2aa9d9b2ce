"""Who may open content and under which path (connect-wire-api §2.2, §3.5): its access list and its vanity path."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from pilothouse.asgi.context import SignedIn
from pilothouse.base.access import Share
from pilothouse.base.errors import Invalid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, flag, integer, text_or_none
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.content import service
from pilothouse.db import Tx
from pilothouse.identity import service as people
from pilothouse.identity.models import Group, User

router = APIRouter()


class GrantInvalid(Invalid):
    """Send “principal_guid”, “principal_type” (user or group) and “role” (owner or viewer)."""

    code = "connect-api/grant-invalid"


@router.get("/v1/content/{guid}/permissions")
def permissions(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        lines = service.access_list(tx, caller, service.get_content(tx, caller, stage, guid))
        return [shapes.permission(line, content_guid=guid, principal=who) for line, who in lines]


@router.post("/v1/content/{guid}/permissions")
def grant(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        who = _principal(tx, body)
        line = service.grant(tx, caller, row, principal=who, share=_share(body))
        return shapes.permission(line, content_guid=guid, principal=who)


@router.get("/v1/content/{guid}/permissions/{grant_id}")
def permission(guid: Guid, grant_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        wanted = service.grant_of(tx, row, integer(grant_id, "permission id")).id
        line, who = next((line, who) for line, who in service.access_list(tx, caller, row) if line.id == wanted)
        return shapes.permission(line, content_guid=guid, principal=who)


@router.put("/v1/content/{guid}/permissions/{grant_id}")
def change_grant(
    guid: Guid, grant_id: str, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf
) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        line = service.grant_of(tx, row, integer(grant_id, "permission id"))
        service.change_grant(tx, caller, row, line, share=_share(body))
        who = next(who for found, who in service.access_list(tx, caller, row) if found.id == line.id)
        return shapes.permission(line, content_guid=guid, principal=who)


@router.delete("/v1/content/{guid}/permissions/{grant_id}")
def revoke_grant(guid: Guid, grant_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        service.revoke_grant(tx, caller, row, service.grant_of(tx, row, integer(grant_id, "permission id")))
    return Response(status_code=204)


@router.get("/v1/content/{guid}/vanity")
def vanity(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return shapes.vanity(service.vanity_of(tx, caller, row), content=row)


@router.put("/v1/content/{guid}/vanity")
def set_vanity(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        path, force = text_or_none(body, "path") or "", flag(body, "force")
        return shapes.vanity(service.set_vanity(tx, caller, row, path=path, force=force), content=row)


@router.delete("/v1/content/{guid}/vanity")
def clear_vanity(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        service.clear_vanity(tx, caller, service.get_content(tx, caller, stage, guid))
    return Response(status_code=204)


@router.get("/v1/vanities")
def vanities(caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """Those of all content that the caller may see."""
    with wire.database.read() as tx:
        return [shapes.vanity(path, content=row) for path, row in service.vanities(tx, caller, stage)]


def _principal(tx: Tx, body: dict[str, Any]) -> User | Group:
    guid, kind = text_or_none(body, "principal_guid"), text_or_none(body, "principal_type")
    if not guid or kind not in ("user", "group"):
        raise GrantInvalid
    return people.get_user(tx, guid) if kind == "user" else people.get_group(tx, guid)


def _share(body: dict[str, Any]) -> Share:
    try:
        return shapes.SHARE_OF_ROLE[str(body.get("role"))]
    except KeyError:
        raise GrantInvalid from None
