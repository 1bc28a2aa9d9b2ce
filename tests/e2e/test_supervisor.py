"""Real processes that are killed: what goes on, what comes back, and how soon."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.factories.gateway import ask, handshake
from tests.factories.supervised import Home, Traffic, home

from pilothouse.gateway.serving import command, prepare

WHO = "/__api__/who"


@pytest.fixture
def served() -> Iterator[Home]:
    with home() as found:
        found.start()
        yield found


def test_it_serves_and_says_so_in_one_line(served: Home) -> None:
    assert ask(served.port, WHO).body == str(served.pid("control_plane")).encode()
    assert ask(served.port, "/content/x").status == 200
    assert served.said().count("Ready: http://localhost:") == 1
    socket = (served.run / "cp.sock").stat()
    assert (oct(socket.st_mode)[-3:], socket.st_gid) == (
        ("600", os.getgid()) if served.served.uid is None else ("660", served.served.uid)
    )
    (admin,) = served.run.rglob("envoy-*.sock")
    assert oct(admin.stat().st_mode)[-3:] == "600"


def test_envoy_runs_as_the_user_that_was_named(served: Home) -> None:
    if served.served.uid is None:
        pytest.skip("NOT EXERCISED: a user for Envoy (needs root, and a program that other users can reach)")
    assert Path(f"/proc/{served.pid('envoy')}").stat().st_uid == served.served.uid
    assert Path(f"/proc/{served.pid('control_plane')}").stat().st_uid == 0


def test_envoy_killed_is_back_within_two_seconds(served: Home) -> None:
    before = served.pid("envoy")
    os.kill(before, signal.SIGKILL)
    began = time.monotonic()
    served.until(lambda: ask(served.port, WHO).status == 200, timeout=2)
    assert served.pid("envoy") not in (0, before)
    assert time.monotonic() - began < 2
    assert "Envoy ended (killed by SIGKILL)" in served.said()


def test_traffic_goes_on_without_a_supervisor_and_the_next_one_adopts_both(served: Home) -> None:
    before = served.pid("control_plane"), served.pid("envoy")
    with Traffic(served.port, "/content/x") as traffic:
        time.sleep(0.3)
        served.kill_supervisor()
        time.sleep(0.7)
        served.start()
        time.sleep(0.3)
    assert (traffic.failed, (served.pid("control_plane"), served.pid("envoy"))) == ([], before)
    assert traffic.done > 20


def test_an_adopted_control_plane_that_is_killed_fails_no_reader(served: Home) -> None:
    served.kill_supervisor()
    served.start()
    _kill_control_plane_under_traffic(served)


def test_requests_wait_while_a_killed_control_plane_restarts(served: Home) -> None:
    _kill_control_plane_under_traffic(served)


def _kill_control_plane_under_traffic(served: Home) -> None:
    before = served.pid("control_plane")
    with Traffic(served.port, WHO) as traffic:
        time.sleep(0.3)
        os.kill(before, signal.SIGKILL)
        served.until(lambda: served.pid("control_plane") not in (0, before))
        served.until(lambda: ask(served.port, WHO, timeout=20).status == 200)
    assert traffic.failed == [], served.refused()
    assert ask(served.port, WHO).body == str(served.pid("control_plane")).encode()


def test_a_new_version_of_the_control_plane_takes_over_without_a_failed_request(served: Home) -> None:
    before = served.pid("control_plane"), served.pid("envoy")
    with Traffic(served.port, WHO) as traffic:
        served.served = replace(served.served, control_plane=replace(served.served.control_plane, facts="version 2"))
        prepare(served.served)
        served.supervisor.send_signal(signal.SIGHUP)
        served.until(lambda: served.pid("control_plane") not in (0, before[0]))
        served.until(lambda: ask(served.port, WHO).status == 200)
        time.sleep(0.3)
    assert traffic.failed == [], served.refused()
    assert served.pid("envoy") == before[1]


def test_a_new_configuration_of_envoy_takes_over_while_open_sockets_stay(served: Home) -> None:
    before = served.pid("envoy")
    connection, first = handshake(served.port, "/content/socket")
    assert b" 101 " in first
    with connection, Traffic(served.port, WHO) as traffic:
        hosts = tuple(
            replace(listener, sites=tuple(replace(site, hosts=("localhost", "new.example")) for site in listener.sites))
            for listener in served.served.envoy.listeners
        )
        served.served = replace(served.served, envoy=replace(served.served.envoy, listeners=hosts))
        prepare(served.served)
        served.supervisor.send_signal(signal.SIGHUP)
        served.until(lambda: served.pid("envoy") not in (0, before))
        served.until(lambda: ask(served.port, WHO, {"Host": "new.example"}).status == 200)
        time.sleep(0.5)
        connection.sendall(b"still here")
        assert connection.recv(100) == b"still here"
        assert [record["pid"] for record in served.known("leaving")] == [before]
    # The kernel resets what waits to be accepted by the old one at that very moment; nothing else may fail.
    assert len(traffic.failed) <= 2
    assert all("reset by peer" in failure for failure in traffic.failed), served.refused()
    served.until(lambda: served.known("leaving") == [])
    assert not Path(f"/proc/{before}/cmdline").exists() or Path(f"/proc/{before}/stat").read_text().split()[2] == "Z"


def test_a_configuration_that_envoy_refuses_leaves_the_old_one_running(served: Home) -> None:
    before = served.pid("envoy")
    served.served = replace(served.served, envoy=replace(served.served.envoy, max_connections=0))
    prepare(served.served)
    served.supervisor.send_signal(signal.SIGHUP)
    served.until(lambda: "did not become ready" in served.said())
    assert served.pid("envoy") == before
    assert ask(served.port, WHO).status == 200


def test_sigterm_stops_both_and_leaves_the_jobs(served: Home) -> None:
    pids = served.pid("control_plane"), served.pid("envoy")
    assert served.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not (served.run / "ready").exists()
    assert list(served.run.glob("*.sock")) == []
    assert "Jobs go on" in served.said()


def test_a_request_under_way_is_answered_before_the_end(served: Home) -> None:
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(ask, served.port, "/__api__/slow")
        time.sleep(0.2)
        assert served.stop() == 0
        assert under_way.result().status == 200


def test_the_demo_may_have_its_jobs_stopped_at_the_end() -> None:
    with home() as found:
        mark = found.path / "jobs-stopped"
        found.served = replace(found.served, stop_jobs=(sys.executable, "-c", f"open({str(mark)!r}, 'w')"))
        found.start()
        assert found.stop() == 0
        assert mark.exists()


def test_a_second_supervisor_on_the_same_home_is_refused_in_one_sentence(served: Home) -> None:
    first = served.supervisor
    second = served.start(wait=False)
    assert second.wait(10) == 3
    assert f"Pilothouse runs already on this home (process {first.pid})." in served.said()
    served.supervisor = first
    assert ask(served.port, WHO).status == 200


def test_a_taken_port_is_named_with_its_holder_before_anything_starts() -> None:
    with home() as found, socket.socket() as taken:
        taken.bind(("127.0.0.1", found.port))
        taken.listen()
        process = found.start(wait=False)
        assert process.wait(10) == 3
        assert f"Port {found.port} on 127.0.0.1 is in use by" in found.said()
        assert f"(process {os.getpid()})" in found.said()
        assert found.known("envoy") is None


def test_a_second_home_on_the_same_port_is_refused_and_on_another_runs_beside(served: Home) -> None:
    with home() as other:
        own = other.served
        other.served = replace(own, envoy=replace(own.envoy, listeners=served.served.envoy.listeners))
        assert other.start(wait=False).wait(10) == 3
        assert "is in use by envoy" in other.said()
        other.served = own
        other.start()
        assert ask(other.port, WHO).body == str(other.pid("control_plane")).encode()
        assert ask(served.port, WHO).body == str(served.pid("control_plane")).encode()


def test_a_crash_loop_is_said_loudly_with_the_last_lines_of_the_log() -> None:
    with home() as found:
        failing = replace(found.served.control_plane, env={**found.served.control_plane.env, "FAIL": "1"})
        found.served = replace(found.served, control_plane=failing)
        found.start(wait=False)
        found.until(lambda: "CRASH LOOP: The control plane ended 4 times" in found.said(), timeout=30)
        assert "told to fail" in found.said() or "startup failed" in found.said()
        assert not (found.run / "ready").exists()


def test_without_ptrace_a_new_socket_is_made_when_one_is_needed() -> None:
    """As under Yama: the number recorded for the descriptor leads nowhere, so the socket can't be taken back."""
    with home() as found:
        found.start()
        found.kill_supervisor()
        file = found.run / "processes.json"
        record = found.known("control_plane")
        file.write_text(file.read_text().replace(f'"fd": {record["fd"]}', '"fd": 900'))
        with Traffic(found.port, WHO, threads=2) as traffic:
            found.start()
            assert found.pid("control_plane") == record["pid"]
            found.served = replace(found.served, control_plane=replace(found.served.control_plane, facts="2"))
            prepare(found.served)
            found.supervisor.send_signal(signal.SIGHUP)
            found.until(lambda: found.pid("control_plane") not in (0, record["pid"]))
            found.until(lambda: ask(found.port, WHO).status == 200)
        assert traffic.failed == [], found.refused()
        assert "can't be taken back" in found.said()


def test_logs_rotate_and_envoy_goes_on_in_a_new_one() -> None:
    with home() as found:
        file = prepare(found.served)
        found.start()
        file.write_text(file.read_text().replace(f'"log_size": {10 * 1024 * 1024}', '"log_size": 300'))
        found.supervisor.send_signal(signal.SIGHUP)
        log = found.served.envoy.access_log
        for _ in range(5):
            ask(found.port, WHO)
        found.until(lambda: log.with_name("access.log.1").exists(), timeout=15)
        ask(found.port, "/__api__/after")
        found.until(lambda: log.exists() and "/__api__/after" in log.read_text(), timeout=15)


def test_a_disk_that_takes_no_more_files_stops_neither_program_nor_their_restart(served: Home) -> None:
    blocked = served.run / ".processes.json.new"
    blocked.mkdir()
    os.kill(served.pid("envoy"), signal.SIGKILL)
    served.until(lambda: "could not do its work" in served.said())
    served.until(lambda: ask(served.port, WHO).status == 200, timeout=5)
    before = served.pid("envoy")
    blocked.rmdir()
    served.until(lambda: served.pid("envoy") != before)
    assert served.said().count("could not do its work") == 1


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    with home() as found, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(found.path / "notify"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(found.path / "notify"))
        found.start()
        assert systemd.recv(100) == b"READY=1"
        found.stop()
        assert systemd.recv(100) == b"STOPPING=1"


def test_as_the_first_process_of_a_container_it_reaps_orphans() -> None:
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("NOT EXERCISED: a pid namespace needs root and unshare")
    with home() as found:
        argv = [unshare, "--pid", "--fork", "--mount-proc", *command(prepare(found.served))]
        outer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=(found.path / "stderr").open("wb"))
        try:
            found.until((found.run / "ready").exists)
            first = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
            assert found.known("supervisor") == 1
            assert ask(found.port, "/__api__/orphan").status == 200
            time.sleep(0.5)
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
            states = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children]
            assert len(children) == 2
            assert "Z" not in states
            os.kill(first, signal.SIGTERM)
            assert outer.wait(20) == 0
        finally:
            outer.kill()  # with the first process of its namespace all others end
            outer.wait()
            (found.run / "processes.json").unlink(missing_ok=True)  # its numbers mean other processes out here


def test_the_supervisor_stays_small_and_imports_no_framework(served: Home) -> None:
    status = Path(f"/proc/{served.supervisor.pid}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 20_000
    code = "import sys, pilothouse.gateway.supervisor.loop; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "sqlalchemy", "fastapi", "asyncio", "hashlib", "http.client"} & set(loaded)
