"""The three digests of a blob, counted while it is written."""

from __future__ import annotations

import hashlib

from pilothouse.storage.contract import Blob, BlobTooLarge


class Digester:
    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._sha256, self._sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise BlobTooLarge(
                f"This is larger than the {self._limit // 1024**2} MB that the server accepts. Leave out data and generated files."
            )
        for digest in (self._sha256, self._sha1, self._md5):
            digest.update(chunk)

    def blob(self) -> Blob:
        return Blob(self._sha256.hexdigest(), self._size, self._md5.hexdigest(), self._sha1.hexdigest())
