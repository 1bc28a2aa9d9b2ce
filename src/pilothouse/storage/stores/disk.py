"""Blobs as files: ``ROOT/sha256/ab/abcdef…``, written beside and renamed, so that a name always means whole bytes."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pilothouse.base.ids import new_key
from pilothouse.storage.contract import Blob, BlobMissing, StorageFull
from pilothouse.storage.stores.digests import Digester

DIGEST = re.compile(r"[0-9a-f]{64}")
FULL = {errno.ENOSPC, errno.EDQUOT}


class DiskStore:
    """A blob store in the folder ``root``, on any POSIX file system with atomic rename (NFS included)."""

    def __init__(self, root: Path) -> None:
        self._root = root / "sha256"
        self._drafts = root / "drafts"
        for folder in (self._root, self._drafts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def upload(self, *, limit: int) -> Iterator[_DiskUpload]:
        draft = self._drafts / new_key()
        try:
            with draft.open("xb") as file:
                yield _DiskUpload(self, file, draft, limit)
        except OSError as error:
            raise StorageFull if error.errno in FULL else error from error
        finally:
            draft.unlink(missing_ok=True)

    def open(self, digest: str) -> BinaryIO:
        return self.file(digest).open("rb")

    def exists(self, digest: str) -> bool:
        return self._path(digest).exists()

    def delete(self, digest: str) -> None:
        self._path(digest).unlink(missing_ok=True)

    def file(self, digest: str) -> Path:
        path = self._path(digest)
        if not path.exists():
            raise BlobMissing
        return path

    def digests(self) -> Iterator[str]:
        return (p.name for p in self._root.glob("??/*") if DIGEST.fullmatch(p.name))

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise BlobMissing
        return self._root / digest[:2] / digest


class _DiskUpload:
    def __init__(self, store: DiskStore, file: BinaryIO, draft: Path, limit: int) -> None:
        self._store, self._file, self._draft, self._digester = store, file, draft, Digester(limit)

    def write(self, chunk: bytes) -> None:
        self._digester.add(chunk)
        self._file.write(chunk)

    def commit(self) -> Blob:
        self._file.flush()
        os.fsync(self._file.fileno())
        blob = self._digester.blob()
        path = self._store._path(blob.digest)
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._draft.chmod(0o400)
            self._draft.rename(path)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return blob
