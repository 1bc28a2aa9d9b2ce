from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pilothouse.app.metrics import Metrics
from pilothouse.base.errors import Invalid
from pilothouse.db import Database
from pilothouse.gateway.door import WAITED
from pilothouse.tasks.contract import Cancelled, Handler, Retry

LINE = {"kind": "DownstreamEnd", "origin": "content", "status": 200, "ms": 12, "to": "app1m", "jid": "k1"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"pilothouse_{name}", labels) or 0


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        (LINE, ("content", "app", "2xx")),
        (LINE | {"status": 503}, ("content", "app", "5xx")),
        (LINE | {"jid": None, "to": "file"}, ("content", "file", "2xx")),
        (LINE | {"jid": None, "to": "page", "status": 500}, ("content", "page", "5xx")),
        (LINE | {"jid": None, "to": None, "origin": "dashboard"}, ("dashboard", "server", "2xx")),
        (LINE | {"jid": None, "to": "\x1b[31m", "origin": "evil", "status": 0}, ("other", "server", "none")),
        ({"kind": "DownstreamEnd"}, ("other", "server", "none")),
        (LINE | {"status": "x", "ms": "y"}, ("content", "app", "none")),
    ],
)
def test_a_request_is_counted_under_few_words_whatever_its_line_says(
    metrics: Metrics, line: dict[str, Any], labels: tuple[str, str, str]
) -> None:
    metrics.heard(line)
    origin, target, status = labels
    assert value(metrics, "gateway_requests_total", origin=origin, target=target, status=status) == 1


def test_a_websocket_counts_when_it_opens_and_its_life_is_no_answering_time(metrics: Metrics) -> None:
    metrics.heard(LINE | {"kind": "DownstreamTunnelSuccessfullyEstablished", "status": 101})
    metrics.heard(LINE | {"status": 101, "ms": 3_600_000})
    assert value(metrics, "gateway_sockets_opened_total") == 1
    assert value(metrics, "gateway_requests_total", origin="content", target="app", status="1xx") == 1
    assert value(metrics, "gateway_request_duration_seconds_count", target="app") == 0


@pytest.mark.parametrize(
    ("status", "to", "answer"),
    [
        (200, "app1m", "app"), (200, "file", "file"), (200, "page", "page"), (304, "", "file"), (302, "", "redirect"),
        (401, "", "refused"), (503, "", "failed"),
    ],
)  # fmt: skip
def test_the_door_is_timed_by_its_answer_and_without_the_wait_for_a_worker(
    metrics: Metrics, status: int, to: str, answer: str
) -> None:
    async def door(scope: Any, receive: Any, send: Any) -> None:
        scope[WAITED] = 0.2
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-ph-to", to.encode())]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        pass

    asyncio.run(metrics.door(door)({}, None, send))
    assert value(metrics, "gateway_door_duration_seconds_count", answer=answer) == 1
    assert value(metrics, "gateway_door_duration_seconds_sum", answer=answer) < 0.1
    assert value(metrics, "gateway_worker_wait_seconds_sum") == pytest.approx(0.2)


def test_a_door_that_breaks_is_counted_as_failed(metrics: Metrics) -> None:
    async def door(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(metrics.door(door)({}, None, None))
    assert value(metrics, "gateway_door_duration_seconds_count", answer="failed") == 1


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "done"), (Retry(timedelta(0)), "again"), (Cancelled(), "cancelled"), (Invalid("No."), "failed"),
        (ValueError(), "broke"),
    ],
)  # fmt: skip
def test_a_task_is_timed_by_its_result_and_keeps_it(metrics: Metrics, error: Exception | None, result: str) -> None:
    def handler(run: Any) -> dict[str, Any]:
        if error:
            raise error
        return {"n": 1}

    timed: Handler = metrics.task("content.deploy", handler)
    if error:
        with pytest.raises(type(error)):
            timed(None)  # type: ignore[arg-type]
    else:
        assert timed(None) == {"n": 1}  # type: ignore[arg-type]
    assert value(metrics, "tasks_duration_seconds_count", kind="content.deploy", result=result) == 1


def test_transactions_are_timed_also_those_that_fail(metrics: Metrics, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    metrics.database(database)
    with database.read() as tx:
        tx.execute(text("SELECT 1"))
    with pytest.raises(ValueError, match="no"), database.write() as tx:
        tx.execute(text("CREATE TABLE a (b INTEGER)"))
        raise ValueError("no")
    assert value(metrics, "db_transaction_duration_seconds_count") == 2
