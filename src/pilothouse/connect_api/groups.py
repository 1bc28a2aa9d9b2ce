"""Groups, their members, and what is open to them (connect-wire-api §2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.asgi.paging import PageNumber, PageSize
from pilothouse.base.access import Permission, require
from pilothouse.base.ids import is_guid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, text_or_none
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.connect_api.errors import MalformedId
from pilothouse.content import service
from pilothouse.db import Tx
from pilothouse.identity import service as people
from pilothouse.identity.contract import MemberAlready, MemberUnknown, NoDirectory
from pilothouse.identity.models import Group, User

router = APIRouter()


def shown(tx: Tx, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Wire objects of groups, with who owns them."""
    owners = select(User.id, User.guid).where(User.id.in_([g.owner_id for g in groups if g.owner_id]))
    guids = {number: guid for number, guid in tx.execute(owners)}
    return [shapes.group(g, guids.get(g.owner_id or 0)) for g in groups]


@router.get("/v1/groups")
def groups(
    caller: SignedIn, wire: WireOf, prefix: str = "", page_number: PageNumber = 1, page_size: PageSize = 500
) -> dict[str, Any]:
    with wire.database.read() as tx:
        found = people.list_groups(tx, caller, prefix=prefix, page=page_number, page_size=page_size)
        return {"results": shown(tx, found.items), "current_page": page_number, "total": found.total}


@router.post("/v1/groups")
def create_group(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    name, known_as = text_or_none(body, "name") or "", text_or_none(body, "unique_id")
    with wire.database.write() as tx:
        return shown(tx, [people.create_group(tx, caller, name=name, external_id=known_as)])[0]


@router.put("/v1/groups")
def import_group(body: JsonObject, caller: SignedIn) -> None:
    require(caller, Permission.GROUP_CREATE)
    raise NoDirectory


@router.get("/v1/groups/remote")
def remote_groups(caller: SignedIn, prefix: str = "", limit: PageSize = 500) -> dict[str, Any]:
    """Which groups a directory has that this server does not know yet. There is none."""
    require(caller, Permission.GROUP_LIST)
    return {"results": [], "current_page": 1, "total": 0}


@router.get("/v1/groups/{guid}")
def group(guid: Guid, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shown(tx, [people.view_group(tx, caller, guid)])[0]


@router.delete("/v1/groups/{guid}")
def delete_group(guid: Guid, caller: SignedIn, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        people.delete_group(tx, caller, people.view_group(tx, caller, guid))
    return Response(status_code=204)


@router.get("/v1/groups/{guid}/members")
def members(
    guid: Guid, caller: SignedIn, wire: WireOf, page_number: PageNumber = 1, page_size: PageSize = 500
) -> dict[str, Any]:
    """In the order they joined; those of groups in this one are not among them."""
    with wire.database.read() as tx:
        row = people.view_group(tx, caller, guid)
        found = people.list_members(tx, caller, row, page=page_number, page_size=page_size)
        return {"results": [shapes.user(u) for u in found.items], "current_page": page_number, "total": found.total}


@router.post("/v1/groups/{guid}/members")
def add_member(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    user_guid = text_or_none(body, "user_guid") or ""
    if not is_guid(user_guid):
        raise MalformedId(f"“{user_guid}” is not a GUID of a user.")
    with wire.database.write() as tx:
        row, user = people.view_group(tx, caller, guid), people.get_user(tx, user_guid)
        if not people.add_member(tx, caller, row, user=user):
            raise MemberAlready(f"{user.username} is in “{row.name}” already.")
        return shapes.user(user)


@router.delete("/v1/groups/{guid}/members/{user_guid}")
def remove_member(guid: Guid, user_guid: str, caller: SignedIn, wire: WireOf) -> Response:
    if not is_guid(user_guid):
        raise MalformedId(f"“{user_guid}” is not a GUID.")
    with wire.database.write() as tx:
        row, user = people.view_group(tx, caller, guid), people.get_user(tx, user_guid)
        if not people.remove_member(tx, caller, row, user=user):
            raise MemberUnknown(f"{user.username} is not in “{row.name}”.")
    return Response(status_code=204)


@router.get("/v1/experimental/groups/{guid}/content")
def content(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """What names the group on its access list, as far as the caller may see it."""
    with wire.database.read() as tx:
        row = people.view_group(tx, caller, guid)
        return [shapes.group_content(c, line, row) for c, line in service.content_of_group(tx, caller, stage, row)]
