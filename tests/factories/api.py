"""An app with our own API of some rooms, and clients of it that are already somebody."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from pilothouse.asgi import problems
from pilothouse.base.access import ANONYMOUS, Principal
from pilothouse.db import Database


def api_app(database: Database, *routers: APIRouter) -> FastAPI:
    """The routers with our error form, and nothing of the gateway or the front."""
    app = FastAPI()
    app.state.database = database
    for router in routers:
        app.include_router(router)
    problems.install(app)
    return app


def client_of(app: FastAPI, caller: Principal = ANONYMOUS) -> TestClient:
    """A client whose requests are ``caller``'s."""

    async def as_caller(scope: object, receive: object, send: object) -> None:
        scope.setdefault("state", {})["principal"] = caller  # type: ignore[attr-defined]
        await app(scope, receive, send)  # type: ignore[arg-type]

    return TestClient(as_caller, base_url="http://localhost", raise_server_exceptions=False)
