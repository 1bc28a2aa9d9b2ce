"""Content, its variables and its access list (connect-wire-api §2.2, §3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select

from pilothouse.asgi.context import Caller, SignedIn
from pilothouse.base.access import Permission, Principal, Share
from pilothouse.base.errors import Invalid, NotFound
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonArray, JsonObject, integer, text_or_none
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.db import Tx
from pilothouse.identity import service as people
from pilothouse.identity.models import Group, User
from pilothouse.stages import StageRef

router = APIRouter()
#: Keys clients send with content that we take; all others are ignored, as the protocol wants.
FIELDS = ("title", "description", "access_type", "locked", "locked_message", "load_group", *shapes.SETTABLE)


class GrantInvalid(Invalid):
    """Send “principal_guid”, “principal_type” (user or group) and “role” (owner or viewer)."""

    code = "connect-api/grant-invalid"


class VariablesInvalid(Invalid):
    """Send an array of objects with “name” and “value”."""

    code = "connect-api/variables-invalid"


def shown(
    tx: Tx, caller: Principal, stage: StageRef, wire: Wire, rows: Sequence[Content], include: str = ""
) -> list[dict[str, Any]]:
    """Wire objects of ``rows`` as ``caller`` sees them."""
    owners = {u.id: u for u in tx.scalars(select(User).where(User.id.in_({r.owner_id for r in rows})))}
    shares, url = service.shares_of(tx, caller, rows), wire.public_url(stage.id)
    paths = service.vanity_paths(tx, rows) if "vanity_url" in include.split(",") else {}
    found = []
    for row in rows:
        owner = owners[row.owner_id]
        item = shapes.content(row, owner_guid=owner.guid, share=shares[row.id], public_url=url)
        if "owner" in include.split(","):
            item["owner"] = {name: getattr(owner, name) for name in ("guid", "username", "first_name", "last_name")}
        if row.id in paths:
            item["vanity_url"] = url + paths[row.id]
        found.append(item)
    return found


@router.get("/v1/content")
def list_content(
    caller: SignedIn,
    stage: StageOf,
    wire: WireOf,
    name: str | None = None,
    owner_guid: str | None = None,
    include: str = "",
) -> Any:
    with wire.database.read() as tx:
        owner_id = tx.scalar(select(User.id).where(User.guid == owner_guid)) if owner_guid else None
        if owner_guid and owner_id is None:
            return []
        rows = service.list_content(tx, caller, stage, wanted=service.Wanted(name=name, owner_id=owner_id))
        return shown(tx, caller, stage, wire, rows, include)


@router.post("/v1/content")
def create_content(body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    fields = {k: v for k, v in body.items() if k in FIELDS and v is not None}
    with wire.database.write() as tx:
        name = text_or_none(body, "name")
        row = service.create_content(tx, caller, stage, name=name, fields=fields, rules=wire.worker_rules)
        return shown(tx, caller, stage, wire, [row])[0]


@router.get("/v1/content/{guid}")
def get_content(guid: Guid, caller: Caller, stage: StageOf, wire: WireOf, include: str = "") -> dict[str, Any]:
    with wire.database.read() as tx:
        return shown(tx, caller, stage, wire, [service.get_content(tx, caller, stage, guid)], include)[0]


@router.patch("/v1/content/{guid}")
def update_content(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    changes = {k: v for k, v in body.items() if k in FIELDS}
    if name := text_or_none(body, "name"):
        changes["name"] = name
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        if owner_guid := text_or_none(body, "owner_guid"):
            changes["owner_id"] = people.get_user(tx, owner_guid).id
        service.update_content(tx, caller, row, changes=changes, rules=wire.worker_rules)
        return shown(tx, caller, stage, wire, [row])[0]


@router.delete("/v1/content/{guid}")
def delete_content(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        service.delete_content(tx, caller, service.get_content(tx, caller, stage, guid))
    return Response(status_code=204)


@router.get("/v1/content/{guid}/environment")
def variable_names(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[str]:
    with wire.database.read() as tx:
        return service.variable_names(tx, caller, service.get_content(tx, caller, stage, guid))


@router.patch("/v1/content/{guid}/environment")
def change_variables(guid: Guid, body: JsonArray, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[str]:
    return _set_variables(guid, body, caller, stage, wire, replace=False)


@router.put("/v1/content/{guid}/environment")
def replace_variables(guid: Guid, body: JsonArray, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[str]:
    return _set_variables(guid, body, caller, stage, wire, replace=True)


def _set_variables(
    guid: str, body: list[Any], caller: Principal, stage: StageRef, wire: Wire, *, replace: bool
) -> list[str]:
    values: dict[str, str | None] = {}
    for entry in body:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("name"), str)
            or not isinstance(entry.get("value"), str | None)
        ):
            raise VariablesInvalid
        values[entry["name"]] = entry.get("value")
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return service.set_variables(tx, caller, row, values=values, secrets=wire.secrets, replace=replace)


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
        path, force = text_or_none(body, "path") or "", body.get("force") is True
        return shapes.vanity(service.set_vanity(tx, caller, row, path=path, force=force), content=row)


@router.delete("/v1/content/{guid}/vanity")
def clear_vanity(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        service.clear_vanity(tx, caller, service.get_content(tx, caller, stage, guid))
    return Response(status_code=204)


@router.get("/v1/content/{guid}/repository")
def repository(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> None:
    """No content here comes from Git."""
    with wire.database.read() as tx:
        service.get_content(tx, caller, stage, guid)
    raise NotFromGit


class NotFromGit(NotFound):
    """This content does not come from a Git repository."""

    code = "connect-api/not-from-git"


@router.get("/applications/{number}")
def legacy_content(number: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """Numeric ids are kept in clients' records and resolve for ever."""
    with wire.database.read() as tx:
        if "-" in number:
            row = service.get_content(tx, caller, stage, number)
        else:
            row = service.content_of_id(tx, caller, stage, integer(number, "content id"), Permission.CONTENT_VIEW)
        owner = tx.get(User, row.owner_id)
        assert owner is not None
        share, paths = service.share_of(tx, caller, row), service.vanity_paths(tx, [row])
        return shapes.legacy_content(
            row, owner=owner, share=share, public_url=wire.public_url(stage.id), vanity=paths.get(row.id)
        )


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
