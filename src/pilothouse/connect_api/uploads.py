"""Taking an uploaded archive: a raw body or the parts of a form, straight to the blob store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.multipart import parse_options_header

from pilothouse.base.access import Permission, Principal
from pilothouse.base.errors import Invalid
from pilothouse.connect_api.context import Wire
from pilothouse.content import service
from pilothouse.content.models import Bundle, Content
from pilothouse.content.service.bundles import refuse_if_locked
from pilothouse.db import Tx
from pilothouse.storage.contract import Blob, BlobMissing, Upload

METADATA_LIMIT = 64 * 1024
SOURCE_FIELDS = ("source", "source_repo", "source_branch", "source_commit")
#: Finds the content if the caller has this permission on it.
Find = Callable[[Tx, Permission], Content]


class UploadBroken(Invalid):
    """The upload is not a readable multipart body with a part “archive”."""

    code = "connect-api/upload-broken"


async def add_bundle(
    request: Request, caller: Principal, wire: Wire, find: Find, shown: Callable[[Tx, Content, Bundle], dict[str, Any]]
) -> dict[str, Any]:
    """Keep the archive of ``request`` as a new bundle; it goes to the store as it arrives. Returns what ``shown`` makes of it."""

    def allowed() -> None:
        with wire.database.read() as tx:
            refuse_if_locked(find(tx, Permission.CONTENT_DEPLOY))

    def keep(blob: Blob, source: dict[str, Any] | None) -> dict[str, Any]:
        with wire.database.write() as tx:
            row = find(tx, Permission.CONTENT_DEPLOY)
            made = service.add_bundle(tx, caller, row, blob=blob, source=source)
            if not wire.blobs.exists(blob.digest):  # swept away in this moment, with an old bundle of the same bytes
                raise BlobMissing
            return shown(tx, row, made)

    await asyncio.to_thread(allowed)
    with wire.blobs.upload(limit=wire.loaded.settings.content.bundle_size_limit) as target:
        source = await _receive(request, target)
        blob = await asyncio.to_thread(target.commit)
    return await asyncio.to_thread(keep, blob, source)


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
