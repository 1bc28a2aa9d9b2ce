"""The conformance suite of launchers: subclass `LauncherSuite` and give it a ``launcher`` fixture."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pilothouse.base.ids import new_key
from pilothouse.launcher.contract import (
    FINAL,
    JobSpec,
    JobState,
    JobStatus,
    JobUnknown,
    Launcher,
    Resources,
    SeesConnections,
    Signal,
    SignalRefused,
)

PYTHON = "/usr/bin/python3"
MB = 1024 * 1024


class LauncherSuite:
    """What every launcher must do. Abilities that ``capabilities`` denies are skipped, loudly.

    ``launcher`` gives a fresh one; ``again`` makes a second instance that knows the same jobs, as after a restart;
    ``identity`` are `JobSpec` fields that jobs need here (``uid`` for example).
    """

    identity: dict[str, Any] = {}  # noqa: RUF012 - a constant that subclasses replace

    @pytest.fixture
    def launcher(self) -> Launcher:
        raise NotImplementedError("give the suite a launcher")

    @pytest.fixture
    def again(self) -> Callable[[], Launcher]:
        raise NotImplementedError("give the suite a way to restart it")

    def spec(self, code: str, **fields: Any) -> JobSpec:
        return replace(
            JobSpec(new_key(), (PYTHON, "-u", "-c", code), {"PATH": "/usr/bin:/bin"}), **(self.identity | fields)
        )

    def test_a_job_runs_to_its_end_with_its_exit_code(self, launcher: Launcher) -> None:
        spec = self.spec("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
        launcher.submit(spec)
        status = wait_for(launcher, spec.id, FINAL)
        assert (status.state, status.exit_code) == (JobState.ENDED, 3)
        assert status.ended_at is not None
        assert status.reason
        found = {(line.stream, line.text) for _, line in launcher.logs(spec.id)}
        assert found == {("stdout", "out"), ("stderr", "err")}

    def test_submitting_twice_starts_it_once(self, launcher: Launcher) -> None:
        spec = self.spec("import time; print('once'); time.sleep(0.3)")
        launcher.submit(spec)
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        launcher.submit(spec)
        assert [line.text for _, line in launcher.logs(spec.id)] == ["once"]

    def test_the_command_has_exactly_its_variables(self, launcher: Launcher) -> None:
        odd = "a \"b\" 'c' $(id) `id`\nsecond line\\"
        spec = self.spec("import os, json; print(json.dumps(dict(os.environ)))", env={"PLAIN": "1", "ODD": odd})
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        seen = json.loads(next(line.text for _, line in launcher.logs(spec.id)))
        assert {k: seen[k] for k in ("PLAIN", "ODD")} == {"PLAIN": "1", "ODD": odd}
        assert set(seen) - {"PLAIN", "ODD"} <= {"PWD", "LC_CTYPE"}

    def test_a_listening_job_is_reached_at_its_address(self, launcher: Launcher) -> None:
        spec = self.serving()
        launcher.submit(spec)
        status = wait_for(launcher, spec.id, {JobState.RUNNING})
        assert status.address
        assert answer(status.address) == 200
        launcher.cancel(spec.id)
        wait_for(launcher, spec.id, FINAL)

    def test_two_jobs_never_share_an_address(self, launcher: Launcher) -> None:
        specs = [self.serving() for _ in range(3)]
        addresses = {launcher.submit(spec).address for spec in specs}
        assert len(addresses) == 3
        for spec in specs:
            launcher.cancel(spec.id)
            wait_for(launcher, spec.id, FINAL)

    def test_cancelling_twice_is_harmless(self, launcher: Launcher) -> None:
        spec = self.spec("import time; time.sleep(60)")
        launcher.submit(spec)
        wait_for(launcher, spec.id, {JobState.RUNNING})
        launcher.cancel(spec.id)
        launcher.cancel(spec.id)
        status = wait_for(launcher, spec.id, FINAL)
        assert (status.exit_code, status.cancelled) == (143, True)
        launcher.cancel(spec.id)

    def test_a_job_that_ignores_the_request_is_killed_after_its_grace(self, launcher: Launcher) -> None:
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
        spec = self.spec(code, grace=timedelta(seconds=0.5))
        launcher.submit(spec)
        until(lambda: list(launcher.logs(spec.id)))
        began = time.monotonic()
        launcher.cancel(spec.id)
        assert wait_for(launcher, spec.id, FINAL).exit_code == 137
        assert 0.4 < time.monotonic() - began < 10

    def test_a_frozen_job_does_nothing_and_goes_on_where_it_was(self, launcher: Launcher) -> None:
        self.needs(launcher, "freezer")
        spec = self.spec("import time\nfor n in range(1000): print(n); time.sleep(0.02)")
        launcher.submit(spec)
        until(lambda: len(list(launcher.logs(spec.id))) > 3)
        launcher.signal(spec.id, Signal.FREEZE)
        launcher.signal(spec.id, Signal.FREEZE)
        assert launcher.status(spec.id).state is JobState.FROZEN
        time.sleep(0.1)
        count = len(list(launcher.logs(spec.id)))
        time.sleep(0.4)
        assert len(list(launcher.logs(spec.id))) == count
        launcher.signal(spec.id, Signal.THAW)
        until(lambda: len(list(launcher.logs(spec.id))) > count)
        assert launcher.status(spec.id).state is JobState.RUNNING
        launcher.cancel(spec.id)
        wait_for(launcher, spec.id, FINAL)

    def test_a_frozen_job_can_be_cancelled(self, launcher: Launcher) -> None:
        self.needs(launcher, "freezer")
        spec = self.spec("import time; print('up'); time.sleep(60)")
        launcher.submit(spec)
        until(lambda: list(launcher.logs(spec.id)))
        launcher.signal(spec.id, Signal.FREEZE)
        launcher.cancel(spec.id)
        assert wait_for(launcher, spec.id, FINAL).state is JobState.ENDED

    def test_who_is_connected_is_seen_also_while_the_job_is_frozen(self, launcher: Launcher) -> None:
        if not isinstance(launcher, SeesConnections):
            pytest.skip("NOT EXERCISED: this launcher can't see connections")
        spec = self.serving()
        launcher.submit(spec)
        address = wait_for(launcher, spec.id, {JobState.RUNNING}).address or ""
        assert answer(address) == 200
        until(lambda: launcher.connections(spec.id) == 0)
        launcher.signal(spec.id, Signal.FREEZE)
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))):
            assert launcher.connections(spec.id) == 1
        until(lambda: launcher.connections(spec.id) == 0)
        launcher.cancel(spec.id)

    def test_freezing_and_thawing_at_the_same_time_holds_up_nobody(self, launcher: Launcher) -> None:
        self.needs(launcher, "freezer")
        spec = self.serving()
        launcher.submit(spec)
        address = wait_for(launcher, spec.id, {JobState.RUNNING}).address or ""
        assert answer(address) == 200
        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            for _ in range(40):
                for done in [pool.submit(launcher.signal, spec.id, what) for what in (Signal.FREEZE, Signal.THAW)]:
                    done.result()
        assert time.monotonic() - began < 4, "one of them waited for what could not come"
        launcher.signal(spec.id, Signal.THAW)
        assert answer(address) == 200
        launcher.cancel(spec.id)

    def test_an_ended_job_can_not_be_frozen(self, launcher: Launcher) -> None:
        spec = self.spec("pass")
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        with pytest.raises(SignalRefused):
            launcher.signal(spec.id, Signal.FREEZE)

    def test_log_lines_are_numbered_and_can_be_followed(self, launcher: Launcher) -> None:
        spec = self.spec("for n in range(10): print(n)")
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        assert [(n, line.text) for n, line in launcher.logs(spec.id, after=7)] == [(8, "7"), (9, "8"), (10, "9")]
        assert [n for n, _ in launcher.logs(spec.id, after=2, limit=2)] == [3, 4]

    def test_an_unknown_job_is_unknown(self, launcher: Launcher) -> None:
        for ask in (launcher.status, launcher.cancel, lambda key: list(launcher.logs(key))):
            with pytest.raises(JobUnknown):
                ask("nosuchjob")

    def test_a_restarted_launcher_finds_its_jobs(self, launcher: Launcher, again: Callable[[], Launcher]) -> None:
        running, ended = self.serving(), self.spec("print('kept')")
        launcher.submit(running)
        launcher.submit(ended)
        before = wait_for(launcher, running.id, {JobState.RUNNING})
        wait_for(launcher, ended.id, FINAL)
        second = again()
        found = second.adopt()
        assert found[running.id].state is JobState.RUNNING
        assert found[running.id].address == before.address
        assert found[ended.id].exit_code == 0
        assert [line.text for _, line in second.logs(ended.id)] == ["kept"]
        second.cancel(running.id)
        wait_for(second, running.id, FINAL)

    def test_a_job_that_needs_too_much_memory_ends_and_says_so(self, launcher: Launcher) -> None:
        self.needs(launcher, "limits")
        code = "kept = [bytearray(10_000_000) for _ in range(300)]; print('not reached')"
        spec = self.spec(code, resources=Resources(memory_limit=100 * MB))
        launcher.submit(spec)
        status = wait_for(launcher, spec.id, FINAL)
        assert status.exit_code != 0
        assert not list(launcher.logs(spec.id)) or "not reached" not in {
            line.text for _, line in launcher.logs(spec.id)
        }
        if launcher.capabilities().limits in ("v1", "v2"):
            assert status.out_of_memory

    def test_a_job_can_not_fork_without_end(self, launcher: Launcher) -> None:
        if launcher.capabilities().limits not in ("v1", "v2"):
            pytest.skip("NOT EXERCISED: process limits (no control groups here)")
        code = "\n".join((
            "import os, time",
            "try:",
            "  for n in range(500):",
            "    if os.fork() == 0: time.sleep(5); os._exit(0)",
            "except OSError: print('refused')",
        ))  # fmt: skip
        spec = self.spec(code, resources=Resources(processes_limit=32))
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        assert [line.text for _, line in launcher.logs(spec.id)] == ["refused"]

    def serving(self) -> JobSpec:
        return self.spec("", argv=(PYTHON, "-m", "http.server", "--bind", "{host}", "{port}"), listens=True)

    def needs(self, launcher: Launcher, ability: str) -> None:
        if getattr(launcher.capabilities(), ability) in ("none", ""):
            pytest.skip(f"NOT EXERCISED: {ability} (this launcher has none here)")


def wait_for(launcher: Launcher, job_id: str, states: Any, timeout_s: float = 15.0) -> JobStatus:
    """The status once it is one of ``states``."""
    found: JobStatus = until(lambda: s if (s := launcher.status(job_id)).state in states else None, timeout_s)
    return found


def until(what: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s")


def answer(address: str) -> int:
    """The status of ``GET /``, once somebody listens."""

    def ask() -> int | None:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=2) as response:
                return int(response.status)
        except OSError:
            return None

    return int(until(ask))
