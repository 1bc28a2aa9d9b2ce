"""Bundles, deploys, tasks, lockfile, jobs (connect-wire-api §2.2, §3.1, §3.3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from python_multipart import MultipartParser
from python_multipart.multipart import parse_options_header
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, Role
from pilothouse.base.errors import Invalid, NotFound
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, integer
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.content import service
from pilothouse.content.models import Bundle, Content, Lock
from pilothouse.content.service.bundles import refuse_if_locked
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.launcher.contract import JobUnknown
from pilothouse.stages import StageRef
from pilothouse.storage.contract import Blob, BlobMissing, Upload
from pilothouse.tasks import TaskView, follow
from pilothouse.tasks.contract import TaskUnknown

router = APIRouter()
WAIT_LIMIT_S = 60.0
METADATA_LIMIT = 64 * 1024
SOURCE_FIELDS = ("source", "source_repo", "source_branch", "source_commit")


class UploadBroken(Invalid):
    """The upload is not a readable multipart body with a part “archive”."""

    code = "connect-api/upload-broken"


class NotDeployed(NotFound):
    """Nothing was deployed here yet."""

    code = "connect-api/not-deployed"


@router.post("/v1/content/{guid}/bundles")
async def upload(guid: Guid, request: Request, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    """The archive as the raw body, chunked or not, or as the part ``archive`` of a multipart form. It goes to the store as it arrives."""

    def allowed() -> None:
        with wire.database.read() as tx:
            row = service.get_content(tx, caller, stage, guid, Permission.CONTENT_DEPLOY)
            refuse_if_locked(row)

    await asyncio.to_thread(allowed)
    with wire.blobs.upload(limit=wire.loaded.settings.content.bundle_size_limit) as target:
        source = await _receive(request, target)
        blob = await asyncio.to_thread(target.commit)
    return await asyncio.to_thread(_keep, guid, caller, stage, wire, blob, source)


def _keep(
    guid: str, caller: Principal, stage: StageRef, wire: WireOf, blob: Blob, source: dict[str, Any] | None
) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        made = service.add_bundle(tx, caller, row, blob=blob, source=source)
        if not wire.blobs.exists(blob.digest):  # swept away in this moment, with an old bundle of the same bytes
            raise BlobMissing
        return shapes.bundle(made, content=row, created_by=tx.get(User, caller.id))


async def _receive(request: Request, target: Upload) -> dict[str, Any] | None:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        async for chunk in request.stream():
            if chunk:
                await asyncio.to_thread(target.write, chunk)
        return None
    form = _Form(target)
    await form.read(request.stream(), options.get(b"boundary", b""))
    return form.source()


class _Form:
    """Reads the two parts of the multipart upload: ``archive`` to the store, ``metadata`` to memory."""

    def __init__(self, target: Upload) -> None:
        self._target, self._pending = target, bytearray()
        self._name, self._field, self._value, self._disposition = "", b"", b"", b""
        self._metadata, self._has_archive = bytearray(), False

    async def read(self, chunks: AsyncIterator[bytes], boundary: bytes) -> None:
        if not boundary:
            raise UploadBroken
        parser = MultipartParser(boundary, {
            "on_part_begin": self._begin, "on_header_field": self._on_field, "on_header_value": self._on_value,
            "on_header_end": self._on_header, "on_headers_finished": self._on_headers, "on_part_data": self._on_data,
        })  # fmt: skip
        try:
            async for chunk in chunks:
                parser.write(chunk)
                if self._pending:
                    data, self._pending = bytes(self._pending), bytearray()
                    await asyncio.to_thread(self._target.write, data)
            parser.finalize()
        except ValueError as error:
            raise UploadBroken from error
        if not self._has_archive:
            raise UploadBroken

    def source(self) -> dict[str, Any] | None:
        if not self._metadata:
            return None
        try:
            document = json.loads(bytes(self._metadata))
        except ValueError as error:
            raise UploadBroken("The part “metadata” of the upload is not valid JSON.") from error
        if not isinstance(document, dict):
            raise UploadBroken("The part “metadata” of the upload is not a JSON object.")
        return {name: str(document[name])[:2000] for name in SOURCE_FIELDS if document.get(name) is not None}

    def _begin(self) -> None:
        self._field = self._value = self._disposition = b""
        self._name = ""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _on_headers(self) -> None:
        self._name = parse_options_header(self._disposition)[1].get(b"name", b"").decode(errors="replace")
        self._has_archive = self._has_archive or self._name == "archive"

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "archive":
            self._pending += data[start:end]
        elif self._name == "metadata":
            self._metadata += data[start:end]
            if len(self._metadata) > METADATA_LIMIT:
                raise UploadBroken("The part “metadata” of the upload is too large.")


@router.get("/v1/content/{guid}/bundles")
def bundles(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return _shown(tx, row, service.bundles(tx, caller, row))


@router.get("/v1/content/{guid}/bundles/{bundle_id}")
def bundle(guid: Guid, bundle_id: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return _shown(tx, row, [service.get_bundle(tx, caller, row, integer(bundle_id, "bundle id"))])[0]


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
@router.post("/v1/content/{guid}/build", status_code=202)
def deploy(guid: Guid, body: JsonObject, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, str]:
    """``bundle_id`` null or absent = the newest; ``activate: false`` = a draft. Building and deploying are one here."""
    number = body.get("bundle_id")
    activate = body.get("activate", True) is not False
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        chosen = service.get_bundle(tx, caller, row, None if number is None else integer(number, "bundle id"))
        return {"task_id": service.deploy(tx, caller, row, bundle=chosen, activate=activate).key}


@router.get("/v1/tasks/{key}")
async def task(
    key: str,
    caller: SignedIn,
    wire: WireOf,
    first: Annotated[int, Query(ge=0)] = 0,
    wait: Annotated[float, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Lines from ``first`` on; waits up to ``wait`` seconds while there is nothing new."""
    view = await follow(wire.database, key, first=first, wait_s=0)
    if view.actor_id != caller.id and not caller.has_role(Role.ADMINISTRATOR):
        raise TaskUnknown(f"There is no task {key}.")
    if not view.lines and not view.is_finished and wait:
        view = await follow(wire.database, key, first=first, wait_s=min(wait, WAIT_LIMIT_S))
    return _task(view)


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


@router.get("/v1/content/{guid}/jobs")
def jobs(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return [shapes.job(j, content=row) for j in service.jobs(tx, caller, row)]


@router.get("/v1/content/{guid}/jobs/{key}")
def job(guid: Guid, key: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        return shapes.job(service.get_job(tx, caller, row, key), content=row)


@router.delete("/v1/content/{guid}/jobs/{key}")
def stop_job(guid: Guid, key: str, caller: SignedIn, stage: StageOf, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        row = service.get_content(tx, caller, stage, guid)
        found = service.get_job(tx, caller, row, key)
        service.stop_job(tx, caller, row, found)
    facts = {"app_id": str(row.id), "app_guid": row.guid, "job_id": str(found.id), "job_key": found.key}
    return {"guid": row.guid, **facts, "result": "Order to kill job registered"}


@router.get("/v1/content/{guid}/jobs/{key}/log")
def job_log(
    guid: Guid, key: str, caller: SignedIn, stage: StageOf, wire: WireOf, maxLogLines: int = 0
) -> dict[str, Any]:
    with wire.database.read() as tx:
        row = service.get_content(tx, caller, stage, guid)
        found = service.get_job(tx, caller, row, key)
    try:
        lines = [line for _, line in wire.launcher.logs(found.key, limit=100_000)]
    except JobUnknown:
        lines = []
    shown = lines[-maxLogLines:] if maxLogLines > 0 else lines
    return {
        "entries": [{"source": line.stream, "timestamp": shapes.moment(line.at), "data": line.text} for line in shown]
    }


def _shown(tx: Tx, content: Content, rows: list[Bundle]) -> list[dict[str, Any]]:
    makers = {
        u.id: u for u in tx.scalars(select(User).where(User.id.in_({r.created_by_id for r in rows if r.created_by_id})))
    }
    return [shapes.bundle(r, content=content, created_by=makers.get(r.created_by_id or 0)) for r in rows]


def _task(view: TaskView) -> dict[str, Any]:
    return {
        "id": view.key,
        "output": list(view.lines),
        "result": None,
        "finished": view.is_finished,
        "code": view.code,
        "error": view.error,
        "last": view.last,
    }
