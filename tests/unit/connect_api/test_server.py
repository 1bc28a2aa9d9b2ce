"""What the server says of itself to publishing clients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.factories.api import api_app

from pilothouse.base.access import Principal, Role
from pilothouse.connect_api import errors, server
from pilothouse.content.service import WorkerRules
from pilothouse.db import Database, Watch
from pilothouse.settings import Settings
from pilothouse.stages import Stages, sync

MB = 1024 * 1024
SETTINGS = Settings.model_validate({
    "content": {"max_processes": 4, "max_conns_per_process": 30, "load_factor": 0.75, "idle_timeout": "90s", "connection_timeout": 0},
    "stages": [{"key": "dev", "kind_load_groups": {"python-shiny": "low"}}, {"key": "prod", "load_group": "high"}],
})  # fmt: skip


@pytest.fixture
def rules(database: Database) -> WorkerRules:
    with database.write() as tx:
        sync(tx, SETTINGS.stages)
    return WorkerRules(SETTINGS, Stages(database, Watch(database)))


def ask(database: Database, rules: WorkerRules, path: str, stage: int = 1) -> dict[str, Any]:
    app = api_app(database, server.router)
    errors.install(app)
    app.state.wire = SimpleNamespace(worker_rules=rules)

    async def signed_in(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {"principal": Principal(1, Role.PUBLISHER), "stage": SimpleNamespace(id=stage)}
        await app(scope, receive, send)

    answer = TestClient(signed_in).get(path)
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_scheduler_values_are_those_of_the_settings(database: Database, rules: WorkerRules) -> None:
    told = ask(database, rules, "/server_settings/scheduler")
    assert set(told) == set(server.LIMITS) and len(told) == 22
    assert (told["max_processes"], told["max_conns_per_process"], told["load_factor"]) == (4, 30, 0.75)
    assert (told["idle_timeout"], told["init_timeout"], told["connection_timeout"], told["read_timeout"]) == (90, 60, 0, 3600)  # fmt: skip
    assert (told["max_memory_limit"], told["max_cpu_limit"], told["max_processes_limit"]) == (2048 * MB, 1, 5)
    whole = {name for name, value in told.items() if isinstance(value, int)}
    assert whole >= set(server.LIMITS) - {"load_factor"} - {name for name in server.LIMITS if "cpu" in name}


def test_the_scheduler_values_follow_the_kind_and_the_stage(database: Database, rules: WorkerRules) -> None:
    shiny = ask(database, rules, "/server_settings/scheduler/python-shiny")
    assert (shiny["max_memory_limit"], shiny["max_processes"], shiny["max_processes_limit"]) == (512 * MB, 2, 2)
    assert ask(database, rules, "/server_settings/scheduler", stage=2)["memory_limit"] == 8192 * MB
