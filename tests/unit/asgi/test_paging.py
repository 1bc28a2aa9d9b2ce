from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from sqlalchemy import select

from pilothouse.asgi import problems
from pilothouse.asgi.paging import cursor_page, turns
from pilothouse.db import Database, Turn, part_of
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task

URL = "https://pilot.example/dev/__api__"


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    """A list of seven things."""
    app = FastAPI()
    problems.install(app)

    @app.get("/v1/things")
    def things(request: Request, turn: Annotated[Turn, Depends(turns(order="ascOrder"))]) -> dict[str, Any]:
        with database.read() as tx:
            part = part_of(tx, select(Task).where(Task.kind == "thing"), Task.id, turn)
            return cursor_page(request, URL, part, lambda task: task.args["n"])

    with database.write() as tx:
        for n in range(1, 8):
            enqueue(tx, "thing", {"n": n})
            enqueue(tx, "other", {"n": n})
    yield TestClient(app, root_path="/dev/__api__")


def read(client: TestClient, address: str) -> dict[str, Any]:
    answer = client.get(address.removeprefix(URL))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("ascending", [True, False])
def test_following_next_gives_everything_once_and_previous_leads_back(client: TestClient, ascending: bool) -> None:
    page = read(client, f"/v1/things?limit=3&ascOrder={str(ascending).lower()}&kept=a%26b")
    assert set(page) == {"paging", "results"} and set(page["paging"]) == {
        "cursors",
        "first",
        "previous",
        "next",
        "last",
    }
    assert page["paging"]["previous"] is None
    pages = [page]
    while pages[-1]["paging"]["next"]:
        assert (
            pages[-1]["paging"]["next"].startswith(f"{URL}/v1/things?limit=3&")
            and "kept=a%26b" in pages[-1]["paging"]["next"]
        )
        pages.append(read(client, pages[-1]["paging"]["next"]))
    forth = [page["results"] for page in pages]
    assert forth == ([[1, 2, 3], [4, 5, 6], [7]] if ascending else [[7, 6, 5], [4, 3, 2], [1]])
    back = read(client, pages[-1]["paging"]["previous"])
    assert back["results"] == forth[1] and back["paging"]["cursors"]["next"]
    assert read(client, back["paging"]["previous"])["results"] == forth[0]
    assert read(client, page["paging"]["last"])["results"] == ([5, 6, 7] if ascending else [3, 2, 1])
    assert read(client, pages[-1]["paging"]["first"])["results"] == forth[0]


def test_rows_that_come_meanwhile_move_nothing(client: TestClient, database: Database) -> None:
    page = read(client, "/v1/things?limit=3&ascOrder=false")
    with database.write() as tx:
        enqueue(tx, "thing", {"n": 8})
    assert read(client, page["paging"]["next"])["results"] == [4, 3, 2]


def test_a_cursor_beyond_the_end_gives_an_empty_page(client: TestClient) -> None:
    beyond = base64.urlsafe_b64encode(b"a999999999999999999").decode().rstrip("=")
    assert read(client, f"/v1/things?next={beyond}")["results"] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=501", "limit=99999999999999999999", "limit=x", "next=-1", "next=%00", "next=null", "previous=ü",
     "next=YTA&previous=YTA", "ascOrder=perhaps", "next=YS0x", "next=" + "A" * 400, "next=YTk5OTk5OTk5OTk5OTk5OTk5OTk5"],
)  # fmt: skip
def test_what_no_page_gave_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/things?{query}").status_code in (400, 422)
