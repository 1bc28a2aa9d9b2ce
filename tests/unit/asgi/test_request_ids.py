from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import capture_logs

from pilothouse.asgi import problems
from pilothouse.asgi.request_ids import RequestIds, request_id
from pilothouse.base.errors import Unavailable
from pilothouse.base.ids import is_guid

STATED = "3b1f3f5a-0f0a-9c4e-8c55-6a2f0f1d2e3c"


class Away(Unavailable):
    """The engine is away. Try again."""

    code = "asgi/away"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.get("/id")
    def told() -> dict[str, Any]:
        return {"here": request_id(), "logged": structlog.contextvars.get_contextvars()}

    @app.get("/away")
    @app.get("/starting")
    def away() -> None:
        raise Away

    return app


def get(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(RequestIds(app, header="x-id", quiet=("/starting",)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def test_the_id_is_known_in_the_threads_of_endpoints_and_to_the_log(app: FastAPI) -> None:
    assert get(app, "/id", **{"x-id": STATED}).json() == {"here": STATED, "logged": {"request_id": STATED}}


@pytest.mark.parametrize("stated", ["", "no-guid", STATED + "\t{evil}"])
def test_a_request_without_a_proper_id_gets_one(app: FastAPI, stated: str) -> None:
    found = get(app, "/id", **{"x-id": stated}).json()["here"]
    assert is_guid(found)
    assert found != STATED


def test_outside_of_a_request_there_is_none(app: FastAPI) -> None:
    get(app, "/id", **{"x-id": STATED})
    assert request_id() == ""


def test_a_failure_is_logged_and_its_answer_names_the_request(app: FastAPI) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        answer = get(app, "/away", **{"x-id": STATED})
    assert answer.json()["request_id"] == STATED
    assert logged == [
        {
            "event": "a request failed", "log_level": "warning", "method": "GET", "path": "/away", "status": 503,
            "request_id": STATED,
        }
    ]  # fmt: skip


def test_where_failures_are_the_usual_answer_they_are_not_logged(app: FastAPI) -> None:
    with capture_logs() as logged:
        assert get(app, "/starting").status_code == 503
    assert logged == []


def test_what_a_client_did_wrong_needs_no_id(app: FastAPI) -> None:
    assert "request_id" not in get(app, "/nowhere").json()
