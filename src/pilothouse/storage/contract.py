"""What a blob store owes: whole blobs or none, found by digest, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pilothouse.base.errors import Invalid, NotFound, Unavailable


class BlobMissing(NotFound):
    """These bytes are not in the store any more. Upload them again."""

    code = "storage/blob-missing"


class BlobTooLarge(Invalid):
    """This is larger than the server accepts. Leave out data and generated files, or ask an administrator to raise the limit."""

    code = "storage/blob-too-large"


class StorageFull(Unavailable):
    """The server's disk is full. Nothing was kept; tell an administrator and try again."""

    code = "storage/full"


@dataclass(frozen=True)
class Blob:
    """A stored blob. ``digest`` is its SHA-256; ``md5`` and ``sha1`` are there because the publishing protocol shows them. All lower-case hex."""

    digest: str
    size_bytes: int
    md5: str
    sha1: str


class Upload(Protocol):
    """A blob that is being written, chunk by chunk, from one thread. Nothing is visible before ``commit``."""

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises `BlobTooLarge` beyond the limit, `StorageFull`."""
        ...

    def commit(self) -> Blob:
        """Make the blob visible and durable. The same bytes twice are one blob."""
        ...


class BlobStore(Protocol):
    """Safe to use from several threads and processes."""

    def upload(self, *, limit: int) -> AbstractContextManager[Upload]:
        """Begin a blob of at most ``limit`` bytes. Leaving the block without ``commit`` leaves nothing behind."""
        ...

    def open(self, digest: str) -> BinaryIO:
        """The bytes, from the start. Raises `BlobMissing`."""
        ...

    def exists(self, digest: str) -> bool: ...

    def delete(self, digest: str) -> None:
        """Remove the blob; a missing one is a no-op."""
        ...

    def file(self, digest: str) -> Path:
        """The blob as a read-only local file (a cache for remote stores). Raises `BlobMissing`."""
        ...

    def digests(self) -> Iterator[str]:
        """All digests, in no order."""
        ...


def put(store: BlobStore, chunks: Iterable[bytes], *, limit: int) -> Blob:
    """Store a whole blob."""
    with store.upload(limit=limit) as upload:
        for chunk in chunks:
            upload.write(chunk)
        return upload.commit()
