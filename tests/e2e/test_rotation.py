"""The key of stored secrets is changed beside a running server, also by a command that is killed again and again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from tests.factories.installation import BIN, Installation, database_url, installed

from pilothouse.content.models import Variable
from pilothouse.content.service.variables import place_of
from pilothouse.db import Database
from pilothouse.db.secrets import key_id, load_secrets

COUNT = 600


@pytest.fixture(params=["sqlite", "postgresql"])
def ph(request: pytest.FixtureRequest) -> Iterator[Installation]:
    with installed("", database_url(request, "rotation")) as made:
        yield made


def values(ph: Installation) -> tuple[dict[str, str], set[str]]:
    """Every variable, opened with the key file as it is now; and the ids of the keys in use."""
    secrets = load_secrets(ph.home / "keys" / "secrets.json")
    database = Database(ph.db_url or f"sqlite:///{ph.home}/db/pilothouse.sqlite")
    with database.read() as tx:
        rows = tx.scalars(select(Variable)).all()
    database.close()
    return {r.name: secrets.open(place_of(r.content_id, r.name), r.sealed) for r in rows}, {
        key_id(r.sealed) for r in rows
    }


def test_nothing_is_lost_however_often_the_rotation_is_killed(ph: Installation) -> None:
    guid = ph.api("POST", "v1/content", json={}).json()["guid"]
    wanted = {f"NAME_{n}": f"value {n}" for n in range(COUNT)}
    body = [{"name": name, "value": value} for name, value in wanted.items()]
    assert ph.api("PATCH", f"v1/content/{guid}/environment", json=body).status_code == 200
    first = values(ph)[1]
    command = [str(BIN / "pilothouse"), "secrets", "rotate", "--home", str(ph.home)]
    for delay in (0.7, 0.9, 1.0, 1.1, 1.3):
        with subprocess.Popen(command, env=ph._variables(), stdout=subprocess.DEVNULL) as rotation:
            time.sleep(delay)
            rotation.kill()
        assert values(ph)[0] == wanted
    done = json.loads(ph.cli("secrets", "rotate", "--home", str(ph.home), "--json").stdout)
    assert done["sealed"] > 0
    found, keys = values(ph)
    assert found == wanted
    assert keys == {done["key"]} and keys != first
    late = ph.api("PATCH", f"v1/content/{guid}/environment", json=[{"name": "LATE", "value": "sealed by the server"}])
    assert late.status_code == 200
    found, keys = values(ph)
    assert found["LATE"] == "sealed by the server" and keys == {done["key"]}, "the server was not restarted"
    events = ph.cli("audit", "verify", "--home", str(ph.home), "--json").stdout
    assert json.loads(events)["intact"]
