"""A whole installation as those who look after it see it: is it well, what does it measure, what does it write down.

The database is a PostgreSQL of our own that is stopped and started again under the running server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.factories.installation import Installation, installed, project, until

from pilothouse.testing.postgres import PostgresServer

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
    with installed("", url) as made:
        yield made


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


def metrics(ph: Installation) -> dict[tuple[str, ...], float]:
    """Name and values of the labels (in the order of their names) → value, as Prometheus' own parser reads them."""
    token = (ph.home / "keys" / "metrics").read_text()
    answer = httpx.get(f"{ph.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    families = list(text_string_to_metric_families(answer.text))
    assert all(re.fullmatch(r"(pilothouse|process|python)_[a-z_]+", family.name) for family in families)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_the_numbers_move_when_an_app_is_published_and_opened(ph: Installation, tmp_path: Path) -> None:
    assert httpx.get(f"{ph.url}/metrics", timeout=30).status_code == 401
    before = metrics(ph)
    code = "from fastapi import FastAPI, Request\napp = FastAPI()\n\n@app.get('/')\ndef about(request: Request):\n    return request.headers['x-request-id']\n"
    folder = project(tmp_path / "app", {"app.py": code, "requirements.txt": "fastapi\n"})
    guid = ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--title", "Watched").guid
    for _ in range(3):
        opened = ph.get(f"/content/{guid}/", headers={"X-Request-Id": "mine"})
        assert opened.json() == opened.headers["x-request-id"] != "mine", "the app knows its request by our id"

    def grown(*name: str) -> float:
        return metrics(ph).get(name, 0) - before.get(name, 0)

    until(lambda: grown("pilothouse_gateway_requests_total", "dashboard", "2xx", "app") >= 3)
    assert grown("pilothouse_tasks_duration_seconds_count", "content.deploy", "done") >= 1
    assert grown("pilothouse_gateway_door_duration_seconds_count", "app") >= 3
    assert grown("pilothouse_gateway_request_duration_seconds_count", "app") >= 3
    assert grown("pilothouse_db_transaction_duration_seconds_count") > 10
    now = metrics(ph)
    assert now["pilothouse_content_workers", "ready"] + now["pilothouse_content_workers", "frozen"] == 1
    assert now["pilothouse_app_ready", "gateway"] == 1
    assert now["pilothouse_db_size_bytes",] > 1_000_000


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
        assert metrics(ph)["pilothouse_app_ready", "database"] == 0
        _follow_one_request(ph)
    finally:
        server.start()
    assert until(lambda: readiness(ph)[0] == 200, timeout_s=60)
    trouble = [line for line in written(ph, "server.log") if line["event"] == "the server is not ready"]
    assert "database: The database does not answer." in trouble[0]["trouble"]
    logs = {name: written(ph, name) for name in ("server.log", "access.log", "supervisor.log", "gateway.log")}
    assert all(isinstance(line, dict) for lines in logs.values() for line in lines)
    assert [name for name, lines in logs.items() if not lines and name != "gateway.log"] == []


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


def test_no_secret_stands_in_any_log(ph: Installation) -> None:
    """After sign-ins, a deploy, wrong keys and a lost database."""
    assert ph.get("/__api__/v1/user", key="ph_wrong-key-of-somebody-123456789012345").status_code == 401
    httpx.post(f"{ph.url}/__login__", data={"username": "admin", "password": "wrong-horse-91"}, timeout=30)
    keys = ph.home / "keys"
    secrets = {
        "database": PASSWORD, "api key": ph.key, "bootstrap": ph.bootstrap, "password": "wrong-horse-91",
        "wrong key": "ph_wrong-key-of-somebody-123456789012345",
        "door": (keys / "door").read_text().strip(), "metrics": (keys / "metrics").read_text().strip(),
        **{file.stem: json.loads(file.read_text())["key"] for file in keys.glob("*.json") if '"key":' in file.read_text()},
    }  # fmt: skip
    assert len(secrets) > 8
    logs = [*(ph.home / "logs").iterdir(), ph.root / "serve.log", *(ph.home / "jobs").glob("*/log*")]
    assert len(logs) > 4
    found = [
        (log.name, name)
        for log in logs
        for name, secret in secrets.items()
        if secret in log.read_text(errors="replace")
    ]
    assert found == []
