"""The supervisor's parts, one by one, with processes that merely sleep."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilothouse.gateway.supervisor import listening, logfiles, ports
from pilothouse.gateway.supervisor.keeper import Keeper
from pilothouse.gateway.supervisor.plan import Plan, PlanUnreadable, Program, read, write
from pilothouse.gateway.supervisor.process import Process, adopt, spawn

SLEEP = Program(("/bin/sleep", "30"), "d1", "/nowhere.sock")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Program], Process]]:
    found: list[Process] = []

    def start(program: Program) -> Process:
        found.append(spawn(program, log=tmp_path / "log"))
        return found[-1]

    yield start
    for process in found:
        process.signal(signal.SIGKILL)
        if process.child:
            process.child.wait()


def until(true: Callable[[], object], timeout: float = 5) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def plan_of(tmp_path: Path, **changes: object) -> Plan:
    names = {"run": str(tmp_path), "logs": str(tmp_path), "socket": str(tmp_path / "cp.sock")}
    return Plan(**{**names, "control_plane": SLEEP, "envoy": SLEEP, **changes})  # type: ignore[arg-type]


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ports=(("::", 1),), stop_jobs=("a", "b"))
    write(plan, tmp_path / "plan.json")
    assert read(tmp_path / "plan.json") == plan


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "run": "x"}'])
def test_a_plan_that_makes_no_sense_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanUnreadable, match="Run `pilothouse serve` again"):
        read(tmp_path / "plan.json")


def test_a_process_is_adopted_by_its_record_only_while_it_lives(started: Callable[[Program], Process]) -> None:
    record = started(SLEEP).record()
    found = adopt(record)
    assert found is not None
    assert (found.pid, found.child) == (record["pid"], None)
    os.close(found.pidfd)
    for wrong in ({"started": 1}, {"boot": "another"}, {"pid": os.getpid()}):
        assert adopt({**record, **wrong}) is None
    os.kill(record["pid"], signal.SIGKILL)
    until(lambda: adopt(record) is None)


def test_records_that_are_damaged_are_ignored() -> None:
    assert adopt({}) is None
    assert adopt({"pid": "x"}) is None


def test_a_program_starts_in_a_session_of_its_own_without_what_slows_it(
    started: Callable[[Program], Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("SECRET", "s")
    process = started(Program(("/usr/bin/env",), "d", "", env={"MINE": "1"}))
    assert process.child is not None
    process.child.wait()
    text = (tmp_path / "log").read_text()
    assert "MINE=1" in text
    assert "SECRET=s" in text
    assert "PYTHONDONTWRITEBYTECODE" not in text
    process = started(SLEEP)
    assert os.getsid(process.pid) == process.pid


def test_a_program_that_inherits_nothing_gets_only_its_own_variables(
    started: Callable[[Program], Process], tmp_path: Path
) -> None:
    process = started(Program(("/usr/bin/env",), "d", "", env={"MINE": "1"}, inherits=False))
    assert process.child is not None
    process.child.wait()
    assert (tmp_path / "log").read_text() == "MINE=1\n"


def test_a_socket_is_ours_alone_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "cp.sock"
    with listening.bind(path) as first, listening.bind(path) as second:
        assert oct(path.stat().st_mode)[-3:] == "600"
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
            second.settimeout(1)
            assert second.accept()
            first.setblocking(False)
            with pytest.raises(BlockingIOError):
                first.accept()


def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(listening.SocketUnusable, match="too long"):
        listening.bind(tmp_path / ("x" * 120))


def test_the_socket_is_taken_back_from_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "cp.sock"
    ours = listening.bind(path)
    process = spawn(SLEEP, log=tmp_path / "log", fd=ours.fileno())
    try:
        ours.close()
        found = listening.take_back(process)
        if found is None:
            pytest.skip("NOT EXERCISED: this system forbids pidfd_getfd here")
        with found, socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
            assert found.accept()
            assert not found.get_inheritable()
        process.fd = 0  # /dev/null is no socket
        assert listening.take_back(process) is None
    finally:
        process.signal(signal.SIGKILL)
        process.forget()


def test_a_probe_waits_without_blocking_and_asks_again_after_a_failure(tmp_path: Path) -> None:
    probe = listening.Probe(str(tmp_path / "s"), "/ready")
    assert not probe.is_ready()
    with listening.bind(tmp_path / "s") as server:
        answers = iter([b"HTTP/1.1 503 Wait\r\n\r\n", b"HTTP/1.1 404 Whatever\r\n\r\n"])

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        until(probe.is_ready)
        thread.join()
    assert next(answers, None) is None


def test_a_port_in_use_is_named_with_its_holder() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ports.PortTaken, match=rf"Port {port} on 127.0.0.1 is in use by .*process {os.getpid()}"):
            ports.check([("127.0.0.1", port)])
        ports.check([("127.0.0.1", port)], ours={os.getpid()})
    ports.check([("127.0.0.1", port)])


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(ports.PortTaken, match="no address"):
        ports.check([("203.0.113.7", 4000)])


def test_a_log_is_cut_while_its_writer_keeps_it_open(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(5):
            writer.write(b"%d\n" % number)
            assert logfiles.is_over(log, 1)
            logfiles.cut(log, files=3)
        writer.write(b"new\n")
    assert log.read_text() == "new\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert (tmp_path / "a.log.1").read_text() == "4\n"


def test_the_access_log_is_put_aside_whole(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("1\n")
    inode = log.stat().st_ino
    logfiles.put_aside(log, files=2)
    assert not log.exists()
    assert (tmp_path / "a.log.1").stat().st_ino == inode
    assert not logfiles.is_over(log, 0)


class Kept:
    """A keeper with the sentences it said."""

    def __init__(self, tmp_path: Path, program: Program = SLEEP) -> None:
        self.said: list[str] = []
        self.keeper = Keeper("It", program, log=tmp_path / "log", say=self.said.append)

    def step_until(self, true: Callable[[], object], now: float = 0.0) -> None:
        def look() -> object:
            self.keeper.step(now)
            return true()

        until(look)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    for process in made.keeper.processes():
        process.signal(signal.SIGKILL)
        process.forget()


def test_a_program_that_ends_is_started_at_once_and_then_ever_later(kept: Kept) -> None:
    keeper = kept.keeper
    keeper.program = Program(("/bin/false",), "d", "")
    pauses = []
    for _ in range(4):
        keeper._start_at = 0.0
        keeper.step(100.0)
        kept.step_until(lambda: keeper.process is None, now=100.0)
        assert keeper._start_at is not None
        pauses.append(keeper._start_at - 100.0)
    assert pauses == [0.0, 0.5, 1.0, 2.0]
    assert kept.said[0] == "It ended (exit code 1). It is started again now."
    assert "CRASH LOOP" in kept.said[-1]


def test_a_program_that_was_ready_for_a_while_is_started_again_at_once(kept: Kept) -> None:
    keeper = kept.keeper
    for now in (100.0, 110.0, 120.0, 130.0, 140.0):
        keeper._start_at = now
        keeper.step(now)
        assert keeper.process is not None
        keeper._ready_at = now
        keeper.process.signal(signal.SIGKILL)
        kept.step_until(lambda: keeper.process is None, now=now + 5)
        assert keeper._start_at == now + 5
    assert not any("CRASH LOOP" in line for line in kept.said)


def test_ends_long_ago_are_forgiven(kept: Kept) -> None:
    keeper = kept.keeper
    for now in (0.0, 1000.0):
        keeper._start_at = now
        keeper.step(now)
        assert keeper.process is not None
        keeper.process.signal(signal.SIGKILL)
        kept.step_until(lambda: keeper.process is None, now=now)
        assert keeper._start_at == now


def test_a_program_that_does_not_exist_is_said_and_tried_again_later(tmp_path: Path) -> None:
    made = Kept(tmp_path, Program(("/nowhere/program",), "d", ""))
    assert made.keeper.step(0.0) > 0
    assert "can't be started" in made.said[0]


def test_a_program_of_the_same_digest_is_not_replaced_and_one_of_another_is(kept: Kept) -> None:
    keeper = kept.keeper
    keeper.step(0.0)
    assert keeper.process is not None
    first = keeper.process.pid
    keeper.replace(SLEEP, 0.0)
    assert keeper.step(0.0) > 0
    assert keeper.process.pid == first
    keeper.replace(Program(SLEEP.argv, "d2", ""), 0.0)
    kept.step_until(lambda: keeper.process and keeper.process.digest == "d2")
    assert keeper.process.pid != first
    assert not any("ended" in sentence for sentence in kept.said)


def test_a_program_that_ignores_its_end_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(30)"
    made = Kept(tmp_path, Program((sys.executable, "-IS", "-c", code), "d", "", grace_s=5))
    keeper = made.keeper
    keeper.step(0.0)
    until(lambda: "deaf" in (tmp_path / "log").read_text())
    keeper.stop(0.0)
    keeper.step(4.9)
    assert keeper.process is not None
    assert keeper.process.is_alive()
    made.step_until(lambda: keeper.process is None, now=5.0)
    assert keeper.step(6.0) > 60, "a stopped program is not started again"


def test_importing_the_supervisor_loads_no_framework() -> None:
    code = "import sys, pilothouse.gateway.supervisor.__main__; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "sqlalchemy", "fastapi", "asyncio", "hashlib", "http.client", "pilothouse.base"} & set(
        loaded
    )
