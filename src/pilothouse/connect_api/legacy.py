"""The unversioned endpoints that older clients use, and newer ones for records of theirs (connect-wire-api §2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.base.access import Permission, Principal, Share
from pilothouse.base.ids import is_guid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import LARGEST_ID, Guid, JsonObject, integer, text_or_none
from pilothouse.connect_api.bundles import chosen_bundle, view_of_task
from pilothouse.connect_api.content import changes_of
from pilothouse.connect_api.context import StageOf, Wire, WireOf
from pilothouse.connect_api.errors import MalformedId
from pilothouse.connect_api.jobs import find_job, jobs_of, shown_job
from pilothouse.connect_api.uploads import add_bundle
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.stages import StageRef
from pilothouse.tasks import output

router = APIRouter()
#: What ``filter=min_role:…`` asks for.
SHARES = {"viewer": Share.VIEWER, "editor": Share.EDITOR, "owner": Share.OWNER}
COUNT, MOST, FARTHEST = 100, 10_000, 10**12


class Asked(BaseModel):
    """What a list of applications is asked for: ``filter`` may stand there several times, as ``name:VALUE``."""

    filter: list[str] = Field([])
    search: str = ""
    count: int = Field(COUNT, ge=0, le=MOST)
    start: int = Field(0, ge=0, le=FARTHEST)
    offset: int = Field(0, ge=0, le=FARTHEST)
    cont: str = ""

    @property
    def first(self) -> int:
        return integer(self.cont, "continuation") if self.cont else self.start or self.offset

    def wanted(self) -> service.Wanted:
        """Filters that mean nothing here change nothing."""
        said: Mapping[str, str] = dict(f.partition(":")[::2] for f in self.filter)
        owner = said.get("account_id")
        return service.Wanted(
            name=said.get("name"),
            owner_id=integer(owner, "account id") if owner else None,
            category=said.get("content_type", ""),
            share=SHARES.get(said.get("min_role", ""), Share.VIEWER),
            search=self.search,
        )


@router.get("/applications")
@router.get("/applications/")
def applications(caller: SignedIn, stage: StageOf, wire: WireOf, asked: Annotated[Asked, Query()]) -> dict[str, Any]:
    """What the caller may see, last deployed first. ``continuation`` is what to send as ``cont`` for the next page."""
    first, wanted = asked.first, asked.wanted()
    with wire.database.read() as tx:
        rows, total = service.page_of_content(tx, caller, stage, wanted=wanted, limit=asked.count, offset=first)
        shown = _shown(tx, caller, stage, wire, rows)
    after = first + len(rows)
    continuation = str(after) if rows and after < total else None
    return {"applications": shown, "count": len(shown), "total": total, "continuation": continuation}


@router.post("/applications")
def create(body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        fields = {name: value for name, value in changes_of(tx, body).items() if name != "name" and value is not None}
        name = text_or_none(body, "name")
        row = service.create_content(tx, caller, stage, name=name, fields=fields, rules=wire.worker_rules)
        return _shown(tx, caller, stage, wire, [row])[0]


@router.get("/applications/{id}")
def application(id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """Numeric ids are kept in clients' records and resolve for ever."""
    with wire.database.read() as tx:
        return _shown(tx, caller, stage, wire, [_find(tx, caller, stage, id)])[0]


@router.post("/applications/{id}")
def update(id: str, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """Older clients send null for what they don't change."""
    with wire.database.write() as tx:
        row = _find(tx, caller, stage, id)
        changes = {name: value for name, value in changes_of(tx, body).items() if value is not None}
        service.update_content(tx, caller, row, changes=changes, rules=wire.worker_rules)
        return _shown(tx, caller, stage, wire, [row])[0]


@router.post("/applications/{id}/upload")
async def upload(id: str, request: Request, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    return await add_bundle(
        request, caller, wire,
        find=lambda tx, permission: _find(tx, caller, stage, id, permission),
        shown=lambda tx, row, made: shapes.legacy_bundle(made, content=row),
    )  # fmt: skip


@router.post("/applications/{id}/deploy")
def deploy(id: str, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """``bundle`` null or absent = the newest."""
    with wire.database.write() as tx:
        row = _find(tx, caller, stage, id)
        chosen = chosen_bundle(tx, caller, row, body.get("bundle"))
        started = service.deploy(tx, caller, row, bundle=chosen)
        return shapes.legacy_task(output(tx, started.key))


@router.get("/applications/{id}/config")
def config(id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """Where people set it up."""
    with wire.database.read() as tx:
        row = _find(tx, caller, stage, id)
        return {"config_url": shapes.dashboard_url(row, wire.public_url(stage.id))}


@router.get("/applications/{guid}/jobs")
def jobs(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return [shapes.legacy_job(job) for job in jobs_of(tx, caller, row)]


@router.get("/applications/{guid}/job/{key}")
def job(guid: Guid, key: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return shapes.legacy_job(shown_job(row, find_job(tx, caller, row, key)))


@router.get("/tasks/{id}")
async def task(
    id: str, caller: SignedIn, wire: WireOf, first_status: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0
) -> dict[str, Any]:
    return shapes.legacy_task(await view_of_task(wire, caller, id, first=first_status, wait_s=0))


def _find(
    tx: Tx, caller: Principal, stage: StageRef, name: str, permission: Permission = Permission.CONTENT_VIEW
) -> Content:
    """By number or GUID. Raises `ContentUnknown`, `MalformedId`."""
    if "-" in name:
        if not is_guid(name):
            raise MalformedId(f"“{name[:80]}” is not a GUID.")
        return service.get_content(tx, caller, stage, name, permission)
    return service.content_of_id(tx, caller, stage, integer(name, "content id"), permission)


def _shown(tx: Tx, caller: Principal, stage: StageRef, wire: Wire, rows: Sequence[Content]) -> list[dict[str, Any]]:
    owners = {user.id: user for user in tx.scalars(select(User).where(User.id.in_({row.owner_id for row in rows})))}
    shares, paths = service.shares_of(tx, caller, rows), service.vanity_paths(tx, rows)
    url = wire.public_url(stage.id)
    return [
        shapes.legacy_content(
            row, owner=owners[row.owner_id], share=shares[row.id], public_url=url, vanity=paths.get(row.id)
        )
        for row in rows
    ]
