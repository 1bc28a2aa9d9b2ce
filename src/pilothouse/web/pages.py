"""All pages of this room. `app.py` includes it beside the pages of identity, audit and content, and the static files."""

from __future__ import annotations

from fastapi import APIRouter

from pilothouse.web import connect, home, jobs, news, options, overview, palette, queue, storage

router = APIRouter(include_in_schema=False)
for part in (home, overview, jobs, queue, storage, options, connect, palette, news):
    router.include_router(part.router)
