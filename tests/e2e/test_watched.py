"""A whole installation as those who look after it see it: is it well, what does it measure, what does it write down.

The database is a PostgreSQL of our own that is stopped and started again under the running server.
"""

from __future__ import annotations

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
    finally:
        server.start()
    assert until(lambda: readiness(ph)[0] == 200, timeout_s=60)
