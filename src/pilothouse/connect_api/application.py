"""The protocol as one ASGI application, mounted at ``/__api__`` by ``app.py``."""

from __future__ import annotations

from fastapi import Depends, FastAPI

from pilothouse.connect_api import (
    access,
    audit,
    bundles,
    content,
    credentials,
    environments,
    errors,
    groups,
    instrumentation,
    integrations,
    jobs,
    legacy,
    packages,
    people,
    procs,
    refused,
    server,
    system,
    tags,
    thumbnails,
    tokens,
)
from pilothouse.connect_api.body import without_nul
from pilothouse.connect_api.context import Wire


def application(wire: Wire) -> FastAPI:
    """All endpoints; every failure leaves in the wire's error shape."""
    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, dependencies=[Depends(without_nul)]
    )
    app.state.wire, app.state.database = wire, wire.database
    for part in (
        server, system, people, groups, tokens, tags, environments, audit, procs,
        content, access, bundles, jobs, packages, thumbnails, legacy,
        instrumentation, credentials, integrations, refused,
    ):  # fmt: skip
        app.include_router(part.router)
    errors.install(app)
    return app
