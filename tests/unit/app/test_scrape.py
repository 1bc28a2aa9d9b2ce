from __future__ import annotations

import asyncio
import stat
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pilothouse.app.gauges import GAUGES, Sources
from pilothouse.app.health import NotReady, Readiness
from pilothouse.app.metrics import Metrics
from pilothouse.app.scrape import guard_of, scrape
from pilothouse.audit.service import Sealer, record
from pilothouse.audit.sinks.memory import MemorySink
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, ResourceRef
from pilothouse.db import Database
from pilothouse.settings import load
from pilothouse.tasks.models import Task

SINKS = ["file", "syslog"]


def fine() -> None:
    pass


def away() -> None:
    raise NotReady("It is away.")


def get(database: Database, home: Path, *, look: object = fine, **headers: str) -> httpx.Response:
    readiness = Readiness({"database": look, "schema": fine})  # type: ignore[dict-item]
    loaded = load(home, variables={"PILOTHOUSE_METRICS__TOKEN": "let-me-read"})
    app = scrape(Metrics(), readiness, Sources(database, home, lambda: 7, SINKS), guard_of(loaded))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get("/metrics", headers={"Authorization": "Bearer let-me-read"} | headers)

    return asyncio.run(ask())


def families(answer: httpx.Response) -> dict[str, Metric]:
    assert answer.status_code == 200, answer.text
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def test_every_gauge_has_a_value_on_both_databases(database: Database, tmp_path: Path) -> None:
    found = families(get(database, tmp_path))
    assert set(GAUGES) <= set(found)
    assert found["pilothouse_gateway_sockets"].samples[0].value == 7
    assert found["pilothouse_db_size_bytes"].samples[0].value > 4096
    assert {s.labels["state"] for s in found["pilothouse_content_workers"].samples} == {
        "starting", "ready", "frozen", "draining",
    }  # fmt: skip


def test_depth_and_age_of_a_queue_leave_out_what_is_not_due(database: Database, tmp_path: Path) -> None:
    now = clock.now()
    with database.write() as tx:
        for number, (state, minutes) in enumerate((("queued", -10), ("queued", -1), ("queued", 30), ("running", -5))):
            tx.add(
                Task(
                    key=f"t{number}", kind="x", queue="builds", args={}, state=state,
                    run_at=now + timedelta(minutes=minutes),
                )
            )  # fmt: skip
    found = families(get(database, tmp_path))

    def of(name: str) -> float:
        return next(s.value for s in found[f"pilothouse_tasks_{name}"].samples if s.labels["queue"] == "builds")

    assert (of("queued"), of("running")) == (2, 1)
    assert 590 < of("oldest_age_seconds") < 700


def test_what_waits_for_its_seal_and_what_a_sink_lacks_is_told(database: Database, tmp_path: Path) -> None:
    def happen(count: int) -> None:
        for number in range(count):
            with database.write() as tx:
                record(tx, SYSTEM, "identity:group:created", ResourceRef("group", number))

    happen(3)
    Sealer(database, b"k" * 32, {"file": MemorySink()}).run()
    happen(2)
    found = families(get(database, tmp_path))
    assert found["pilothouse_audit_unsealed_events"].samples[0].value == 2
    missing = {s.labels["sink"]: s.value for s in found["pilothouse_audit_sink_missing_events"].samples}
    assert missing == {"file": 0, "syslog": 3}


def test_while_the_database_is_away_the_rest_is_told(tmp_path: Path) -> None:
    found = families(get(Database("postgresql://u:p@127.0.0.1:1/none"), tmp_path, look=away))
    assert {s.labels["part"]: s.value for s in found["pilothouse_app_ready"].samples} == {"database": 0, "schema": 1}
    assert "pilothouse_storage_free_bytes" in found
    assert "pilothouse_content_workers" not in found


@pytest.mark.parametrize(
    "given", ["", "Bearer wrong", "Bearer ", "Key let-me-read", "Basic let-me-read", "let-me-read"]
)
def test_without_the_token_there_are_no_numbers(sqlite_database: Database, tmp_path: Path, given: str) -> None:
    answer = get(sqlite_database, tmp_path, Authorization=given)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "pilothouse_" not in answer.text


def test_the_token_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    guard = guard_of(load(tmp_path, variables={}))
    file = tmp_path / "keys" / "metrics"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text()) > 40
    assert guard_of(load(tmp_path, variables={}))({"authorization": f"Bearer {file.read_text()}"}) is None
    assert guard({"authorization": f"bearer {file.read_text()}"}) is None


@pytest.mark.parametrize(
    ("readers", "client", "status"),
    [
        ("loopback", "127.0.0.1", None), ("loopback", "::1", None), ("loopback", "10.0.0.9", 403), ("loopback", "", 403),
        ("off", "127.0.0.1", 404), ("token", "127.0.0.1", 401),
    ],
)  # fmt: skip
def test_the_administrator_chooses_who_reads(tmp_path: Path, readers: str, client: str, status: int | None) -> None:
    guard = guard_of(load(tmp_path, variables={"PILOTHOUSE_METRICS__READERS": readers}))
    refused = guard({"x-ph-client": client})
    assert (refused[0] if refused else None) == status
