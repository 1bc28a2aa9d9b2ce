from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.gateway import GRANTS

from pilothouse.gateway.envoy import EnvoyPlan, Listener, config, dashboard
from pilothouse.gateway.envoy.binary import Binary
from pilothouse.gateway.serving import ControlPlane, Served, change_grant_keys, command, door_secret, prepare
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


@pytest.fixture
def supervisor(served: Served) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the supervisor's lock and prints each SIGHUP that it gets."""
    run = served.envoy.run
    run.mkdir(parents=True)
    code = (
        "import fcntl,signal,sys\nlock = open(sys.argv[1], 'a'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "signal.signal(signal.SIGHUP, lambda *_: print('read again', flush=True))\nprint('ready', flush=True)\n"
        "while True: signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run / "supervisor.lock")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        (run / "processes.json").write_text(json.dumps({"supervisor": process.pid}))
        yield process
        process.kill()


def test_other_keys_of_grants_are_a_new_configuration_that_the_supervisor_reads(
    served: Served, supervisor: subprocess.Popen[str]
) -> None:
    before, keys = plan.read(prepare(served)), replace(GRANTS, keys={"k2": b"2" * 32, "k3": b"3" * 32})
    assert change_grant_keys(served.envoy.run, keys)
    assert supervisor.stdout is not None and supervisor.stdout.readline() == "read again\n"
    after = plan.read(served.envoy.run / "supervisor.json")
    assert replace(after, envoy=before.envoy) == before
    assert (after.envoy.digest != before.envoy.digest, after.envoy.argv[3:]) == (True, before.envoy.argv[3:])
    documents = [json.loads(Path(p.envoy.argv[2]).read_text()) for p in (before, after)]
    admin = documents[1]["admin"]["address"]["pipe"]
    assert admin["path"] == after.envoy.ready_socket != before.envoy.ready_socket
    assert oct(Path(after.envoy.argv[2]).stat().st_mode)[-3:] == "600"
    wanted = config(replace(served.envoy, grants=keys), admin=Path(admin["path"]))
    assert documents[1] == json.loads(json.dumps(wanted)), "nothing else has changed"


def test_without_a_supervisor_there_is_nothing_to_tell(served: Served) -> None:
    file = prepare(served)
    before = file.read_bytes()
    assert not change_grant_keys(served.envoy.run, replace(GRANTS, keys={"k9": b"9" * 32}))
    assert file.read_bytes() == before


def test_the_doors_secret_is_made_once(tmp_path: Path) -> None:
    assert door_secret(tmp_path) == door_secret(tmp_path)
    assert len(door_secret(tmp_path)) >= 40


def test_the_supervisor_is_run_isolated(tmp_path: Path) -> None:
    assert command(tmp_path)[:3] == [sys.executable, "-I", "-m"]
