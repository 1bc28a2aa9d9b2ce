"""Content and its variables (connect-wire-api §2.2, §3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from pilothouse.asgi.context import Caller, SignedIn
from pilothouse.base.access import Principal
from pilothouse.base.errors import Invalid, NotFound
from pilothouse.base.ids import is_guid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonArray, JsonObject, Paging, text_or_none
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.connect_api.errors import MalformedId
from pilothouse.content import service
from pilothouse.content.contract import ContentInvalid
from pilothouse.content.models import Content
from pilothouse.db import Tx
from pilothouse.identity import service as people
from pilothouse.identity.contract import UserUnknown
from pilothouse.identity.models import User
from pilothouse.stages import StageRef

router = APIRouter()
#: Keys clients send with content that we take; all others are ignored, as the protocol wants.
FIELDS = (
    "title",
    "description",
    "access_type",
    "locked",
    "locked_message",
    "load_group",
    "requests_per_minute",
    *shapes.SETTABLE,
)
#: So many items of the bare list are in memory at once.
CHUNK = 500


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
    tags = service.tags_on(tx, rows) if "tags" in include.split(",") else {}
    found = []
    for row in rows:
        owner = owners[row.owner_id]
        item = shapes.content(row, owner_guid=owner.guid, share=shares[row.id], public_url=url)
        if "owner" in include.split(","):
            item["owner"] = {name: getattr(owner, name) for name in ("guid", "username", "first_name", "last_name")}
        if tags.get(row.id):
            item["tags"] = [shapes.tag(tag) for tag in tags[row.id]]
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
) -> Response:
    """Everything the caller may see, last deployed first, as one array: it is sent as it is read."""
    if owner_guid and not is_guid(owner_guid):
        raise MalformedId(f"“{owner_guid[:80]}” is not a GUID.")
    with wire.database.read() as tx:
        owner_id = (tx.scalar(select(User.id).where(User.guid == owner_guid)) or 0) if owner_guid else None
        ids = service.content_ids(tx, caller, stage, wanted=service.Wanted(name=name, owner_id=owner_id))

    def chunks() -> Iterator[bytes]:
        yield b"["
        is_first = True
        for start in range(0, len(ids), CHUNK):
            with wire.database.read() as tx:
                rows = service.content_of_ids(tx, caller, stage, ids=ids[start : start + CHUNK])
                items = orjson.dumps(shown(tx, caller, stage, wire, rows, include))[1:-1]
            if items:
                yield items if is_first else b"," + items
                is_first = False
        yield b"]"

    return StreamingResponse(chunks(), media_type="application/json")


@router.get("/v1/search/content")
def search_content(
    caller: SignedIn,
    stage: StageOf,
    wire: WireOf,
    paging: Paging,
    q: str = "",
    include: str = "",
) -> dict[str, Any]:
    """Every word of ``q`` stands in the title, name, description, a tag or the owner's name."""
    wanted = service.Wanted(search=q)
    with wire.database.read() as tx:
        rows, total = service.page_of_content(tx, caller, stage, wanted=wanted, limit=paging.size, offset=paging.offset)
        results = shown(tx, caller, stage, wire, rows, include)
    return {"results": results, "current_page": paging.number, "total": total}


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
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        service.update_content(tx, caller, row, changes=changes_of(tx, body), rules=wire.worker_rules)
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


@router.get("/v1/content/{guid}/repository")
@router.delete("/v1/content/{guid}/repository")
def repository(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> None:
    """No content here comes from Git."""
    with wire.database.read() as tx:
        service.get_content(tx, caller, stage, guid)
    raise NotFromGit


class NotFromGit(NotFound):
    """This content does not come from a Git repository."""

    code = "connect-api/not-from-git"


def changes_of(tx: Tx, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body changes about content: null puts a field back, an empty name means unchanged. Raises `ContentInvalid`."""
    changes = {name: value for name, value in body.items() if name in FIELDS}
    if name := text_or_none(body, "name"):
        changes["name"] = name
    if owner_guid := text_or_none(body, "owner_guid"):
        try:
            changes["owner_id"] = people.get_user(tx, owner_guid).id
        except UserUnknown:
            raise ContentInvalid(f"“owner_guid” names nobody: there is no user {owner_guid[:80]}.") from None
    return changes
