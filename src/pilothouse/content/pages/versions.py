"""The versions tab: every bundle, which one is active, going back to any, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from pilothouse.asgi.rendering import Badge, page, to
from pilothouse.audit.service import record
from pilothouse.base.access import Permission, ResourceRef
from pilothouse.base.errors import Conflict
from pilothouse.content import service
from pilothouse.content.models import Bundle, Content
from pilothouse.content.pages import comparing, reading
from pilothouse.content.pages.variables import deploy_command
from pilothouse.content.pages.views import CompareTab, Version, VersionsTab, kind_shown
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx
from pilothouse.storage.compare import text_difference

router = APIRouter(prefix="/_/content/{guid}/versions")
NO_TEXT = {
    "binary": "It is not text.",
    "large": "It is too large to be compared here. Download both versions.",
    "missing": "The archive does not hold it, though its list of files names it.",
    "broken": "The archive could not be read.",
}
STATES = {"uploaded": Badge("uploaded", "off"), "failed": Badge("failed", "bad")}


@router.get("")
def show(visit: VisitOf) -> Response:
    return _show(visit)


@router.get("/compare")
def compare(visit: VisitOf, before: int = 0, after: int = 0) -> Response:
    """What changed from one version to another; without numbers, from the active one to the newest."""

    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        numbers = [row.id for row in service.bundles(tx, visit.caller, content)]
        second = after or next((number for number in numbers if number != content.bundle_id), content.bundle_id or 0)
        first = before or content.bundle_id or second
        chosen = [service.get_bundle(tx, visit.caller, content, number) for number in (first, second)]
        known = [_known(row, service.packages_of(tx, visit.caller, content, row)) for row in chosen]
        return {"view": CompareTab(numbers, comparing.compare(*known), content.bundle_id)}

    return visit.show("content/compare.html", shown, permission=Permission.CONTENT_READ)


@router.get("/diff")
def diff(visit: VisitOf, before: int, after: int, name: str, how: str = "changed") -> Response:
    """What changed in one file, for the page that compares. ``how`` says whether it is there in both."""
    with visit.db.read() as tx:
        content = visit.content(tx, Permission.CONTENT_READ)
        older, newer = (service.get_bundle(tx, visit.caller, content, number) for number in (before, after))
        file = visit.request.app.state.blobs.file
        sides = (None if how == comparing.ADDED else file(older.digest), None if how == comparing.REMOVED else file(newer.digest))  # fmt: skip
    found = text_difference(*sides, name, visit.request.app.state.custodian)
    return page(visit.request, "content/diff.html", lines=found.lines, left_out=found.left_out, why=NO_TEXT.get(found.why, ""))  # fmt: skip


@router.post("/{number}/activate")
def activate(visit: VisitOf, number: int) -> Response:
    """Make a version the active one, as a task; the log shows it happening."""
    try:
        with visit.db.write() as tx:
            content = visit.content(tx)
            bundle = service.get_bundle(tx, visit.caller, content, number)
            service.activate(tx, visit.caller, content, bundle=bundle)
    except Conflict as error:
        return _show(visit, status=422, problem=str(error))
    return to(visit.request, f"/_/content/{visit.guid}/log?of=deploy")


@router.get("/{number}/download")
def download(visit: VisitOf, number: int) -> Response:
    """The archive as it was uploaded."""
    with visit.db.write() as tx:
        content = visit.content(tx, Permission.CONTENT_READ)
        bundle = service.get_bundle(tx, visit.caller, content, number)
        record(
            tx, visit.caller, "content:bundle:downloaded", ResourceRef("bundle", bundle.id), stage_id=content.stage_id
        )
        name = f"{content.name}-{bundle.id}.tar.gz"
        path = visit.request.app.state.blobs.file(bundle.digest)
    return FileResponse(
        path, media_type="application/gzip", filename=name, headers={"X-Content-Type-Options": "nosniff"}
    )


def _show(visit: Visit, **changes: Any) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        rows = service.bundles(tx, visit.caller, content)
        makers = reading.people(tx, {row.created_by_id for row in rows if row.created_by_id})
        names = {number: user.display_name for number, user in makers.items()}
        older = [*(row.id for row in rows[1:]), None]
        versions = [
            _version(row, content, names.get(row.created_by_id or 0, "—"), n)
            for row, n in zip(rows, older, strict=True)
        ]
        return {"view": VersionsTab(versions, deploy_command(visit, content))}

    return visit.show("content/versions.html", shown, permission=Permission.CONTENT_READ, **changes)


def _known(row: Bundle, packages: Mapping[str, str] | None) -> comparing.Known:
    source = row.source or {}
    facts = {
        "Kind": kind_shown(row.app_mode or "").label if row.app_mode else "",
        "Entry point": row.entrypoint or "",
        "Runtime": _runtime(row),
        "Commit": str(source.get("source_commit") or "")[:12],
        "Branch": str(source.get("source_branch") or ""),
    }
    return comparing.Known(row.id, facts, packages, comparing.files_of(row.manifest))


def _runtime(row: Bundle) -> str:
    named = (("Python", row.py_version), ("R", row.r_version), ("Node.js", row.node_version))
    return next((f"{name} {version}" for name, version in named if version), "")


def _version(row: Bundle, content: Content, created_by: str, older: int | None) -> Version:
    is_active = row.id == content.bundle_id
    is_older = content.bundle_id is not None and row.id < content.bundle_id
    badge = (
        Badge("active", "good")
        if is_active
        else STATES.get(row.state, Badge("earlier" if is_older else "draft", "off"))
    )
    action = "" if is_active else f"Roll back to {row.id}" if is_older else f"Activate {row.id}"
    source = row.source or {}
    commit = str(source.get("source_commit") or "")[:12]
    return Version(
        id=row.id,
        active=is_active,
        badge=badge,
        created_at=row.created_at,
        created_by=created_by,
        size_bytes=row.size_bytes,
        runtime=_runtime(row) or "—",
        source=" ".join(p for p in (str(source.get("source_branch") or ""), commit) if p),
        action=action,
        compare=f"versions/compare?before={older}&after={row.id}" if older else "",
    )
