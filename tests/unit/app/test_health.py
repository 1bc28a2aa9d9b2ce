from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from pilothouse.app import health
from pilothouse.app.health import (
    NotReady,
    Part,
    Readiness,
    database_look,
    gateway_look,
    healthz,
    readyz,
    schema_look,
    tasks_look,
)
from pilothouse.db import Database


def get(app: Any, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(ask())


def parts(readiness: Readiness) -> Mapping[str, Part]:
    return asyncio.run(readiness.parts())


def refuses() -> None:
    raise NotReady("The pump is broken.")


def test_a_living_process_says_so() -> None:
    answer = get(healthz, "/healthz")
    assert (answer.status_code, answer.json(), answer.headers["cache-control"]) == (200, {"alive": True}, "no-store")


def test_it_is_ready_when_every_part_is() -> None:
    answer = get(readyz(Readiness({"a": lambda: None, "b": lambda: None})), "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "parts": {"a": {"ready": True}, "b": {"ready": True}}}


def test_the_part_that_is_not_ready_is_named_with_its_sentence() -> None:
    answer = get(readyz(Readiness({"a": lambda: None, "pump": refuses})), "/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["parts"] == {"a": {"ready": True}, "pump": {"ready": False, "says": "The pump is broken."}}


def test_a_mistake_of_ours_keeps_its_details_to_the_log() -> None:
    def broken() -> None:
        raise ValueError("postgresql://me:secret@host/")

    part = parts(Readiness({"x": broken}))["x"]
    assert not part.is_ready
    assert "secret" not in part.says


def test_a_part_that_hangs_is_not_ready_and_keeps_no_other_from_being_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_S", 0.1)
    free = threading.Event()
    try:
        found = parts(Readiness({"stuck": lambda: free.wait(60) and None, "fine": lambda: None}))
    finally:
        free.set()
    assert found["fine"].is_ready
    assert found["stuck"] == Part(False, "It did not answer within 0.1 seconds.")


def test_a_hundred_questions_at_once_are_one_look() -> None:
    looked = []

    def look() -> None:
        looked.append(1)
        time.sleep(0.05)

    async def ask() -> None:
        readiness = Readiness({"x": look})
        await asyncio.gather(*(readiness.parts() for _ in range(100)))

    asyncio.run(ask())
    assert len(looked) == 1


def test_a_database_without_our_tables_is_up_but_its_schema_is_not_current(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    found = parts(Readiness({"database": database_look(empty), "schema": schema_look(empty)}))
    assert found["database"].is_ready
    assert found["schema"].says.endswith("Run `pilothouse migrate`, then start again.")


def test_a_database_that_is_away_is_named_without_its_address() -> None:
    away = Database("postgresql://pilothouse:hush-hush@127.0.0.1:1/none")
    part = parts(Readiness({"database": database_look(away)}))["database"]
    assert part == Part(False, "The database does not answer. Nothing was changed; try again in a moment.")


def test_a_gateway_whose_port_is_closed_is_not_ready() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        found = parts(Readiness({"gateway": gateway_look("0.0.0.0", taken.getsockname()[1])}))
    assert found["gateway"] == Part(False, "The gateway does not answer. Its log is logs/gateway.log.")


def test_a_queue_that_stands_still_is_not_ready() -> None:
    found = parts(Readiness({"tasks": tasks_look(lambda: time.monotonic() - 60)}))
    assert "Background tasks do not run" in found["tasks"].says
