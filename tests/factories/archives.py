"""Archives, good and hostile, made byte by byte where the library would refuse to write them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from typing import Any

Change = Callable[[tarfile.TarInfo], None]


def tar(
    *members: tarfile.TarInfo | tuple[str, bytes] | tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT
) -> bytes:
    """An uncompressed tar of the given members, as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info, data = (
                member if isinstance(member[0], tarfile.TarInfo) else (entry(str(member[0]), len(member[1])), member[1])
            )
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def targz(*members: Any, **options: Any) -> bytes:
    return gzip.compress(tar(*members, **options), 1, mtime=0)


def entry(name: str, size: int = 0, **fields: Any) -> tarfile.TarInfo:
    """A member's header; ``fields`` are set on it (``type``, ``linkname``, ``mode``, ``pax_headers``)."""
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def raw_type(kind: bytes, name: str = "odd") -> bytes:
    """A gzip-compressed tar whose only member has a type that no library writes."""
    info = entry(name)
    info.type = kind
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
