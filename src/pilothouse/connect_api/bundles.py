"""Bundles, deploys and their tasks (connect-wire-api §2.2, §3.1, §3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, Role
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import LARGEST_ID, Guid, JsonObject, flag, integer
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.connect_api.uploads import add_bundle
from pilothouse.content import service
from pilothouse.content.models import Bundle, Content
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.tasks import TaskView, follow
from pilothouse.tasks.contract import TaskUnknown

router = APIRouter()
WAIT_LIMIT_S = 60.0


@router.post("/v1/content/{guid}/bundles")
async def upload(guid: Guid, request: Request, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """The archive as the raw body, chunked or not, or as the part ``archive`` of a multipart form."""
    return await add_bundle(
        request, caller, wire,
        find=lambda tx, permission: service.get_content(tx, caller, stage, guid, permission),
        shown=lambda tx, row, made: shown(tx, row, [made])[0],
    )  # fmt: skip


@router.get("/v1/content/{guid}/bundles")
def bundles(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return shown(tx, row, service.bundles(tx, caller, row))


@router.get("/v1/content/{guid}/bundles/{bundle_id}")
def bundle(guid: Guid, bundle_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return shown(tx, row, [service.get_bundle(tx, caller, row, integer(bundle_id, "bundle id"))])[0]


@router.delete("/v1/content/{guid}/bundles/{bundle_id}")
def delete_bundle(guid: Guid, bundle_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        service.delete_bundle(tx, caller, row, service.get_bundle(tx, caller, row, integer(bundle_id, "bundle id")))
    return Response(status_code=204)


@router.get("/v1/content/{guid}/bundles/{bundle_id}/download")
def download(guid: Guid, bundle_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    """Byte for byte what was uploaded."""
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid, Permission.CONTENT_READ)
        found = service.get_bundle(tx, caller, row, integer(bundle_id, "bundle id"))
        record(tx, caller, "content:bundle:downloaded", ResourceRef("bundle", found.id), stage_id=row.stage_id)
    name = f"{row.name}-{found.id}.tar.gz"
    fields = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(found.size_bytes)}

    def chunks() -> Iterator[bytes]:
        with wire.blobs.open(found.digest) as file:
            while data := file.read(1024 * 1024):
                yield data

    return StreamingResponse(chunks(), media_type="application/gzip", headers=fields)


@router.post("/v1/content/{guid}/deploy", status_code=202)
def deploy(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, str]:
    """``bundle_id`` null or absent = the newest; ``activate: false`` = a draft."""
    activate = body.get("activate") is None or flag(body, "activate")
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        chosen = chosen_bundle(tx, caller, row, body.get("bundle_id"))
        return {"task_id": service.deploy(tx, caller, row, bundle=chosen, activate=activate).key}


@router.post("/v1/content/{guid}/build", status_code=202)
def build(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, str]:
    """Restores packages and starts nothing; what is active stays active."""
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        chosen = chosen_bundle(tx, caller, row, body.get("bundle_id"))
        return {"task_id": service.build(tx, caller, row, bundle=chosen).key}


@router.get("/v1/tasks/{key}")
async def task(
    key: str,
    caller: SignedIn,
    wire: WireOf,
    first: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    wait: Annotated[float, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Lines from ``first`` on; waits up to ``wait`` seconds while there is nothing new."""
    return shapes.task(await view_of_task(wire, caller, key, first=first, wait_s=wait))


async def view_of_task(wire: Wire, caller: Principal, key: str, *, first: int, wait_s: float) -> TaskView:
    """A task that ``caller`` asked for; administrators see all. Raises `TaskUnknown`."""
    read = partial(follow, wire.database, key, first=first)
    view = await read(wait_s=0)
    if view.actor_id != caller.id and not caller.has_role(Role.ADMINISTRATOR):
        raise TaskUnknown(f"There is no task {key}.")
    if not view.lines and not view.is_finished and wait_s:
        view = await read(wait_s=min(wait_s, WAIT_LIMIT_S))
    return view


def chosen_bundle(tx: Tx, caller: Principal, content: Content, number: object) -> Bundle:
    """The bundle that a request names; for none the newest. Raises `MalformedId`, `BundleUnknown`."""
    return service.get_bundle(tx, caller, content, None if number is None else integer(number, "bundle id"))


def shown(tx: Tx, content: Content, rows: list[Bundle]) -> list[dict[str, Any]]:
    """Wire objects of one content's bundles."""
    chosen = select(User).where(User.id.in_({row.created_by_id for row in rows if row.created_by_id}))
    makers = {user.id: user for user in tx.scalars(chosen)}
    return [shapes.bundle(r, content=content, created_by=makers.get(r.created_by_id or 0)) for r in rows]
