"""Errors reach programs as RFC 9457 problems."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from pilothouse.asgi.context import Caller, ClientAddress, SignedIn
from pilothouse.asgi.paging import Page, PageNumber, PageSize
from pilothouse.asgi.problems import install, status_of
from pilothouse.base.errors import Conflict, Denied, Invalid, NotAuthenticated, NotFound, PilothouseError, Unavailable


class HullLeaks(Conflict):
    """The hull leaks. Pump first."""

    code = "boat/hull-leaks"


class Cargo(BaseModel):
    tons: int
    port: str


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    install(app)

    @app.get("/sail")
    def sail() -> None:
        raise HullLeaks("The hull of “Nora” leaks. Pump first.", pumps=2)

    @app.post("/load")
    def load(body: Cargo) -> None: ...

    @app.get("/sink")
    def sink() -> None:
        raise RuntimeError("password=hunter2")

    @app.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, "short and stout")

    @app.get("/busy")
    def busy() -> None:
        raise Unavailable

    @app.get("/mine")
    def mine(caller: SignedIn) -> None: ...

    @app.get("/open")
    def open_to_all(caller: Caller, address: ClientAddress) -> dict[str, object]:
        return {"id": caller.id, "address": address}

    @app.get("/list")
    def numbers(page_number: PageNumber = 1, page_size: PageSize = 2) -> Page[int]:
        start = (page_number - 1) * page_size
        return Page(results=list(range(5))[start : start + page_size], current_page=page_number, total=5)

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("family", "status"),
    [(Invalid, 422), (Denied, 403), (NotAuthenticated, 401), (NotFound, 404), (Conflict, 409), (Unavailable, 503), (HullLeaks, 409),
     (PilothouseError, 500)],
)  # fmt: skip
def test_each_family_has_its_status(family: type[PilothouseError], status: int) -> None:
    assert status_of(family()) == status


def test_a_problem_names_itself_says_a_sentence_and_gives_facts(client: TestClient) -> None:
    answer = client.get("/sail")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:pilothouse:boat:hull-leaks", "title": "Conflict", "status": 409, "code": "boat/hull-leaks",
        "detail": "The hull of “Nora” leaks. Pump first.", "pumps": 2,
    }  # fmt: skip


def test_a_wrong_request_is_told_by_field(client: TestClient) -> None:
    answer = client.post("/load", json={"tons": "many"})
    assert answer.status_code == 422
    assert {f["field"] for f in answer.json()["fields"]} == {"tons", "port"}
    assert "tons: Input should be a valid integer" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_body_that_is_no_object_is_told(client: TestClient, body: bytes) -> None:
    answer = client.post("/load", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_mistake_of_ours_tells_nothing_of_itself(client: TestClient) -> None:
    answer = client.get("/sink")
    assert (answer.status_code, answer.json()["code"]) == (500, "asgi/internal")
    assert "hunter2" not in answer.text and "RuntimeError" not in answer.text


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("DELETE", "/sail"), ("GET", "/<script>")])
def test_an_unknown_endpoint_is_told(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "asgi/no-endpoint")
    assert answer.headers["content-type"] == "application/problem+json"


def test_other_statuses_keep_their_number(client: TestClient) -> None:
    assert client.get("/teapot").json()["detail"] == "short and stout"
    assert client.get("/teapot").status_code == 418


def test_what_is_away_says_when_to_come_back(client: TestClient) -> None:
    assert client.get("/busy").headers["retry-after"] == "2"


def test_a_door_for_people_asks_nobody_to_sign_in(client: TestClient) -> None:
    answer = client.get("/mine")
    assert answer.status_code == 401
    assert "Sign in" in answer.json()["detail"]


def test_a_request_without_a_front_is_nobodys(client: TestClient) -> None:
    assert client.get("/open").json() == {"id": None, "address": "testclient"}


def test_pages_count_from_one_and_end_empty(client: TestClient) -> None:
    assert client.get("/list?page_number=3").json() == {"results": [4], "current_page": 3, "total": 5}
    assert client.get("/list?page_number=4").json()["results"] == []
    assert client.get("/list?page_size=1000").status_code == 422
