"""The protocol as one ASGI application, mounted at ``/__api__`` by ``app.py``."""

from __future__ import annotations

from fastapi import FastAPI

from pilothouse.connect_api import bundles, content, errors, people, refused, server, tokens
from pilothouse.connect_api.context import Wire


def application(wire: Wire) -> FastAPI:
    """All endpoints; every failure leaves in the wire's error shape."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.wire, app.state.database = wire, wire.database
    for part in (server, people, tokens, content, bundles, refused):
        app.include_router(part.router)
    errors.install(app)
    return app
