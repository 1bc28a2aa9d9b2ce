from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.gateway import GRANTS

from pilothouse.gateway.envoy import EnvoyPlan, Listener, dashboard
from pilothouse.gateway.envoy.binary import Binary
from pilothouse.gateway.serving import ControlPlane, Served, command, door_secret, prepare
from pilothouse.gateway.supervisor import plan


@pytest.fixture
def served(tmp_path: Path) -> Served:
    envoy = EnvoyPlan(
        run=tmp_path / "run",
        bind="127.0.0.1",
        listeners=(Listener(3939, (dashboard(("localhost",)),)),),
        door_secret=door_secret(tmp_path / "keys"),
        access_log=tmp_path / "access.log",
        grants=GRANTS,
    )
    return Served(
        envoy, Binary(Path("/envoy"), "abc"), ControlPlane(["python", "--fd", "{fd}"]), logs=tmp_path / "logs"
    )


def test_the_supervisor_reads_what_was_prepared(served: Served) -> None:
    found = plan.read(prepare(replace(served, url="http://localhost:3939", stop_jobs=["stop"])))
    assert found.ports == (("127.0.0.1", 3939),)
    assert found.control_plane.argv == ("python", "--fd", "{fd}")
    assert (found.stop_jobs, found.url) == (("stop",), "http://localhost:3939")
    assert found.envoy.argv[0] == "/envoy"
    assert "--disable-hot-restart" in found.envoy.argv


def test_files_with_secrets_are_for_their_owner_only(served: Served) -> None:
    file = prepare(served)
    files = [file, *file.parent.glob("envoy-*.json"), file.parent.parent / "keys" / "door"]
    assert [oct(one.stat().st_mode)[-3:] for one in files] == ["600"] * 3


def test_the_same_settings_give_the_same_digests_and_others_others(served: Served) -> None:
    first, again = plan.read(prepare(served)), plan.read(prepare(served))
    assert (first.envoy.digest, first.control_plane.digest) == (again.envoy.digest, again.control_plane.digest)
    other = plan.read(prepare(replace(served, control_plane=replace(served.control_plane, facts="2"), concurrency=2)))
    assert other.envoy.digest != first.envoy.digest
    assert other.control_plane.digest != first.control_plane.digest


def test_each_configuration_of_envoy_has_a_file_and_an_admin_socket_of_its_own(served: Served) -> None:
    first = plan.read(prepare(served)).envoy
    second = plan.read(prepare(replace(served, concurrency=2))).envoy
    assert first.ready_socket != second.ready_socket
    for program in (first, second):
        document = json.loads(Path(program.argv[2]).read_text())
        assert document["admin"]["address"]["pipe"]["path"] == program.ready_socket


def test_old_configurations_are_forgotten_in_the_end(served: Served) -> None:
    for number in range(1, 9):
        prepare(replace(served, concurrency=number))
    assert len(list(served.envoy.run.glob("envoy-*.json"))) == 5


def test_the_doors_secret_is_made_once(tmp_path: Path) -> None:
    assert door_secret(tmp_path) == door_secret(tmp_path)
    assert len(door_secret(tmp_path)) >= 40


def test_the_supervisor_is_run_isolated(tmp_path: Path) -> None:
    assert command(tmp_path)[:3] == [sys.executable, "-I", "-m"]
