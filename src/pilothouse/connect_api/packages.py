"""The packages that content runs with (connect-wire-api §2.2)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.base.access import Permission
from pilothouse.base.errors import NotFound
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, PageNumber
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.content import service
from pilothouse.content.models import Bundle, Lock

router = APIRouter()
#: Clients ask for everything at once.
AnyPageSize = Annotated[int, Query(ge=1, le=1_000_000)]


class NotDeployed(NotFound):
    """Nothing was deployed here yet."""

    code = "connect-api/not-deployed"


@router.get("/v1/content/{guid}/lockfile")
def lockfile(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> Response:
    """The exact packages of the active bundle, as a requirements file with hashes."""
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid, Permission.CONTENT_READ)
        active = tx.get(Bundle, row.bundle_id) if row.bundle_id else None
        if active is None or not active.library_key:
            raise NotDeployed("The active bundle has no Python packages, or nothing was deployed yet.")
        lock = tx.scalar(select(Lock).where(Lock.library_key == active.library_key).order_by(Lock.id.desc()).limit(1))
    assert lock is not None
    lines = [f"{a['name']}=={a['version']} \\\n    --hash=sha256:{a['sha256']}" for a in lock.document["artifacts"]]
    made_by = f"pilothouse; python={lock.runtime_version}"
    return PlainTextResponse("\n".join(lines) + "\n", headers={"Generated-By": made_by})


@router.get("/v1/content/{guid}/packages")
def packages(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """Of the active bundle, by name."""
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid, Permission.CONTENT_READ)
        return [shapes.package(used) for used in service.packages_used(tx, caller, row)]


@router.get("/v1/packages")
def all_packages(
    caller: SignedIn,
    stage: StageOf,
    wire: WireOf,
    name: str = "",
    page_number: PageNumber = 1,
    page_size: AnyPageSize = 500,
) -> dict[str, Any]:
    """Of all content that the caller may change."""
    with wire.database.read() as tx:
        found, total = service.all_packages_used(
            tx, caller, stage, name=name, limit=page_size, offset=(page_number - 1) * page_size
        )
    results = [
        {
            **shapes.package(used),
            "bundle_id": str(used.bundle_id),
            "app_id": str(used.content_id),
            "app_guid": used.content_guid,
        }
        for used in found
    ]
    return {"results": results, "current_page": page_number, "total": total}
