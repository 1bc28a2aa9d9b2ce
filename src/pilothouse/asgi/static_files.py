"""``/static/…``: our scripts, styles, fonts and icons, from memory, compressed once, cached by browsers under a digest."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

STATIC = Path(__file__).parent / "static"
#: Inside pages that wait for something, given as ``<script data-wait-s="SECONDS">``: they load nothing.
WAIT_SCRIPT = (STATIC / "wait.js").read_text(encoding="utf-8")
FOR_EVER = "public, max-age=31536000, immutable"
#: A file opened by itself runs nothing and loads nothing, whatever an SVG holds.
INERT = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class StaticAsset:
    """One file: its bytes, the same compressed (``None`` where that saves nothing) and a digest of its content."""

    content: bytes
    compressed: bytes | None
    content_type: str
    digest: str


@cache
def assets() -> dict[str, StaticAsset]:
    """Every file below ``static`` by its path. Read once; about a megabyte."""
    files = sorted(p for p in STATIC.rglob("*") if p.is_file())
    return {p.relative_to(STATIC).as_posix(): asset_of(p.read_bytes(), p.name) for p in files}


def static_url(name: str) -> str:
    """The address of one of our files; it changes with the content, so it may be cached for ever. ``KeyError`` if there is none."""
    return f"/static/{name}?v={assets()[name].digest}"


@router.get("/static/{name:path}")
def static_file(name: str, request: Request, v: str = "") -> Response:
    own = getattr(request.app.state, "branding", None)
    asset = assets().get(name) or (own.assets.get(name) if own is not None else None)
    if asset is None:
        return Response(status_code=404)
    headers = {
        "ETag": f'"{asset.digest}"',
        "Cache-Control": FOR_EVER if v == asset.digest else "no-cache",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": INERT,
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.content_type)
    return Response(asset.content, headers=headers, media_type=asset.content_type)


def asset_of(content: bytes, name: str) -> StaticAsset:
    """``content`` as we serve it; the name tells its type."""
    compressed = gzip.compress(content, 9, mtime=0)
    kind = "font/woff2" if name.endswith(".woff2") else mimetypes.guess_type(name)[0] or "text/plain"
    return StaticAsset(
        content,
        compressed if len(compressed) < 0.9 * len(content) else None,
        kind,
        hashlib.sha256(content).hexdigest()[:16],
    )
