"""A whole installation as those who look after it see it: is it well, what does it measure, what does it write down.

The database is a PostgreSQL of our own that is stopped and started again under the running server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.factories.installation import Installation, new_installation, remove, until

from pilothouse.testing.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group("installation")

PASSWORD = "hush-Postgres-7331"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def ph(server: PostgresServer) -> Iterator[Installation]:
    url = server.url().replace("pilothouse@", f"pilothouse:{PASSWORD}@")
    made = new_installation("", url)
    try:
        made.start()
        made.make_administrator()
        yield made
    finally:
        remove(made)


def readiness(ph: Installation) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(f"{ph.url}/readyz", timeout=30)
    return answer.status_code, answer.json()


def written(ph: Installation, name: str) -> list[dict[str, Any]]:
    """The lines of a log, each of which must be a JSON object."""
    return [json.loads(line) for line in (ph.home / "logs" / name).read_text().splitlines()]


def test_a_server_that_is_well_says_so_to_anybody(ph: Installation) -> None:
    assert httpx.get(f"{ph.url}/healthz", timeout=30).json() == {"alive": True}
    assert readiness(ph) == (
        200,
        {"ready": True, "parts": {name: {"ready": True} for name in ("database", "schema", "gateway", "tasks")}},
    )


def test_it_is_not_ready_while_the_database_is_away_and_is_again_when_it_comes_back(
    ph: Installation, server: PostgresServer
) -> None:
    server.stop()
    try:
        status, said = until(lambda: found if (found := readiness(ph))[0] == 503 else None)
        assert status == 503
        assert said["parts"]["database"] == {
            "ready": False,
            "says": "The database does not answer. Nothing was changed; try again in a moment.",
        }
        assert said["parts"]["gateway"] == {"ready": True}
        assert httpx.get(f"{ph.url}/healthz", timeout=30).status_code == 200, "the process lives on"
        _follow_one_request(ph)
    finally:
        server.start()
    assert until(lambda: readiness(ph)[0] == 200, timeout_s=60)
    trouble = [line for line in written(ph, "server.log") if line["event"] == "the server is not ready"]
    assert "database: The database does not answer." in trouble[0]["trouble"]


def _follow_one_request(ph: Installation) -> None:
    """From the page a visitor sees, to the gateway's log, to ours. What the client calls its request counts for nothing."""
    chosen = "11111111-2222-4333-8444-555555555555"
    headers = {"Accept": "text/html", "X-Request-Id": chosen, "X-Ph-Id": chosen}
    answer = ph.get("/_/content", headers=headers)
    assert answer.status_code == 503
    (shown,) = set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", answer.text))
    assert shown == answer.headers["x-request-id"] != chosen
    (ours,) = [line for line in written(ph, "server.log") if line.get("request_id") == shown]
    assert (ours["event"], ours["path"], ours["status"]) == ("a request failed", "/_/content", 503)
    (theirs,) = until(lambda: [line for line in written(ph, "access.log") if line["id"] == shown])
    assert (theirs["path"], theirs["status"]) == ("/_/content", 503)
