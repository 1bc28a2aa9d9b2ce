"""Pages about content: the gallery, and for each item what it is, who may, its variables, versions and log; and the tree of tags."""

from fastapi import APIRouter

from pilothouse.content.pages import (
    access,
    api,
    asking,
    data,
    gallery,
    item,
    log,
    picture,
    questions,
    runtime,
    settings,
    tags,
    usage,
    variables,
    versions,
)

router = APIRouter(include_in_schema=False)
for part in (
    gallery,
    data,
    api,
    item,
    asking,
    questions,
    access,
    variables,
    versions,
    runtime,
    usage,
    log,
    settings,
    picture,
    tags,
):
    router.include_router(part.router)
