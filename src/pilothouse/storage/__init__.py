"""Blobs: bytes known by their SHA-256. And the unpacker, the only code that opens an archive from outside.

Start at ``contract.py``. Knows no domain: what a blob means is the business of the room that keeps its digest.
"""

from __future__ import annotations

from pilothouse.base.seam import Seam
from pilothouse.storage.contract import BlobStore

blob_stores = Seam("pilothouse.blob_stores", BlobStore, {
    "disk": "pilothouse.storage.stores.disk:DiskStore",
    "memory": "pilothouse.storage.stores.memory:MemoryStore",
})  # fmt: skip
