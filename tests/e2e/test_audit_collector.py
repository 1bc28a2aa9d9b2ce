"""A real rsyslogd collects the trail over each transport; its file alone proves what was done to the database."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.factories.installation import Installation, new_installation, remove, until

from pilothouse.audit.contract import heads_in
from pilothouse.audit.sinks.syslog import SyslogSink
from pilothouse.testing.audit import NASTY, events_in, head, sealed

RSYSLOG = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")
pytestmark = pytest.mark.skipif(RSYSLOG is None, reason="NOT EXERCISED: a real log collector. Install rsyslog.")
CONFIGURATION = """
global(workDirectory="{folder}")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log.sock" UseSpecialParser="off" ParseHostname="on")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{folder}/collected.log" template="RSYSLOG_FileFormat")
"""


class Rsyslog:
    """The collector's process and its file."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.file, self.socket = folder / "collected.log", folder / "log.sock"
        configuration = folder / "rsyslog.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=self.port))
        command = [str(RSYSLOG), "-n", "-f", str(configuration), "-i", str(folder / "pid")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.listens)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return self.socket.exists() and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def lines(self, count: int) -> list[str]:
        until(lambda: self.file.exists() and len(self.file.read_text().splitlines()) >= count)
        return self.file.read_text().splitlines()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def rsyslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    folder = Path("/tmp") / f"phlog{os.getpid()}"  # a short path: it holds a unix socket
    folder.mkdir()
    started = Rsyslog(folder)
    yield started
    started.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("transport", ["unix", "udp", "tcp"])
def test_events_and_heads_arrive_at_a_real_collector(rsyslog: Rsyslog, transport: str) -> None:
    address = f"unix:{rsyslog.socket}" if transport == "unix" else f"{transport}://127.0.0.1:{rsyslog.port}"
    sink = SyslogSink(address)
    sink.append(head(2), [sealed(1, NASTY), sealed(2)])
    sink.append(head(3), [sealed(3)])
    lines = rsyslog.lines(5)
    assert heads_in(lines) == [head(2), head(3)]
    found = events_in(lines)
    assert [facts["seal"] for facts in found] == [1, 2, 3] and found[0]["changes"] == {"name": [None, NASTY]}
    assert all(socket.gethostname() in line and "pilothouse" in line for line in lines)


@pytest.fixture
def ph(rsyslog: Rsyslog) -> Iterator[Installation]:
    made = new_installation(f'[audit]\nsinks = ["syslog"]\nsyslog = "tcp://127.0.0.1:{rsyslog.port}"\n')
    try:
        made.start()
        yield made
    finally:
        remove(made)


def test_the_collectors_file_proves_what_was_cut_from_the_database(rsyslog: Rsyslog, ph: Installation) -> None:
    for name in ("amara.okoye", "henrik.dahl", "clara.voss"):
        ph.cli("user", "add", name, "--password", "harbour-light-7", "--home", str(ph.home))
        until(lambda: any(h.number >= 1 for h in heads_in(collected(rsyslog))))
        time.sleep(1.2)
    until(lambda: heads_in(collected(rsyslog))[-1].number >= 3)
    assert verified(ph, rsyslog, expect=0)["intact"]
    ph.stop()
    database = sqlite3.connect(ph.home / "db" / "pilothouse.sqlite")
    with database:
        database.execute("DELETE FROM audit_seal WHERE number >= 3")
        database.execute("DELETE FROM audit_event WHERE id >= 3")
    database.close()
    report = verified(ph, rsyslog, expect=1)
    assert any("was cut off from seal 3 on" in problem for problem in report["problems"])


def collected(rsyslog: Rsyslog) -> list[str]:
    return rsyslog.file.read_text().splitlines() if rsyslog.file.exists() else []


def verified(ph: Installation, rsyslog: Rsyslog, *, expect: int) -> dict[str, object]:
    done = ph.cli("audit", "verify", "--heads", str(rsyslog.file), "--home", str(ph.home), "--json", check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return dict(json.loads(done.stdout))
