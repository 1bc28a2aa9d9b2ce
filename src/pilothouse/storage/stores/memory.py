"""Blobs in memory, for tests; keeps the same contract."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pilothouse.storage.contract import Blob, BlobMissing
from pilothouse.storage.stores.digests import Digester


class MemoryStore:
    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._files: tempfile.TemporaryDirectory[str] | None = None

    @contextmanager
    def upload(self, *, limit: int) -> Iterator[_MemoryUpload]:
        yield _MemoryUpload(self._blobs, limit)

    def open(self, digest: str) -> BinaryIO:
        if digest not in self._blobs:
            raise BlobMissing
        return io.BytesIO(self._blobs[digest])

    def exists(self, digest: str) -> bool:
        return digest in self._blobs

    def delete(self, digest: str) -> None:
        self._blobs.pop(digest, None)

    def file(self, digest: str) -> Path:
        with self.open(digest) as source:
            self._files = self._files or tempfile.TemporaryDirectory()
            path = Path(self._files.name) / digest
            path.write_bytes(source.read())
        return path

    def digests(self) -> Iterator[str]:
        return iter(list(self._blobs))


class _MemoryUpload:
    def __init__(self, blobs: dict[str, bytes], limit: int) -> None:
        self._blobs, self._digester, self._parts = blobs, Digester(limit), [b""]

    def write(self, chunk: bytes) -> None:
        self._digester.add(chunk)
        self._parts.append(chunk)

    def commit(self) -> Blob:
        blob = self._digester.blob()
        self._blobs[blob.digest] = b"".join(self._parts)
        return blob
