"""All pages of this room. `app.py` includes it beside the pages of identity, audit and content, and the static files."""

from __future__ import annotations

from fastapi import APIRouter

from pilothouse.web import (
    activity,
    announcements,
    api_docs,
    connect,
    content_overview,
    group,
    home,
    integrations,
    jobs,
    landing,
    member,
    news,
    options,
    overview,
    palette,
    people,
    queue,
    search,
    storage,
    waiting,
)

router = APIRouter(include_in_schema=False)
for part in (home, overview, jobs, queue, storage, options, connect, palette, news, waiting, people, activity, search):
    router.include_router(part.router)
for part in (api_docs, announcements, integrations, landing, member, group, content_overview):
    router.include_router(part.router)
