"""A server that is not root has the launcher's contract kept by the runner; and what the runner refuses to whoever stole that server."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.factories.runners import FIRST_UID, Runners, running

from pilothouse.base.ids import new_key
from pilothouse.launcher.backends.local import packetfilter
from pilothouse.launcher.backends.runner import wire
from pilothouse.launcher.backends.runner.client import RunnerLauncher
from pilothouse.launcher.contract import (
    FINAL,
    JobRefused,
    JobSpec,
    JobState,
    LauncherDown,
    Mount,
    Resources,
    Signal,
)
from pilothouse.testing.launcher import PYTHON, LauncherSuite, answer, until, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT EXERCISED: the runner (it is root, or there is none)")

UID = FIRST_UID + 125
NOBODY = 65_534


@pytest.fixture
def runner() -> Iterator[Runners]:
    with running() as made:
        yield made


class TestRunner(LauncherSuite):
    identity = {"uid": UID}

    @pytest.fixture
    def launcher(self, runner: Runners) -> RunnerLauncher:
        return runner.launcher()

    @pytest.fixture
    def again(self, runner: Runners) -> Callable[[], RunnerLauncher]:
        def restarted() -> RunnerLauncher:
            runner.kill()
            runner.start()
            return runner.launcher()

        return restarted

    def test_jobs_go_on_when_it_is_killed_and_the_next_one_knows_them(self, runner: Runners) -> None:
        launcher, spec = runner.launcher(), self.serving()
        launcher.submit(spec)
        address = until(lambda: (s := launcher.status(spec.id)).state is JobState.RUNNING and s.address)
        until(lambda: answer(address) == 200)
        runner.kill()
        assert answer(address) == 200
        late = threading.Timer(0.5, runner.start)
        late.start()
        assert launcher.status(spec.id).state is JobState.RUNNING, "who asks meanwhile waits for the next one"
        late.join()
        launcher.cancel(spec.id)
        wait_for(launcher, spec.id, FINAL)

    def test_it_says_so_when_none_is_there(self, runner: Runners, monkeypatch: pytest.MonkeyPatch) -> None:
        launcher = runner.launcher()
        launcher.adopt()
        runner.kill()
        began = time.monotonic()
        with pytest.raises(LauncherDown):
            launcher.adopt()
        assert 4 < time.monotonic() - began < 20

    def test_a_long_log_comes_whole_and_may_be_left_half_way(self, launcher: RunnerLauncher) -> None:
        spec = self.spec("for n in range(3000): print('line', n)")
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        for _ in range(20):
            assert next(launcher.logs(spec.id))[1].text == "line 0"
        assert [n for n, _ in launcher.logs(spec.id)] == list(range(1, 3001))
        assert launcher.status(spec.id).state is JobState.ENDED

    def test_a_call_takes_about_no_time(self, launcher: RunnerLauncher, record_property: Callable[..., None]) -> None:
        spec = self.spec("import time; time.sleep(60)")
        launcher.submit(spec)
        until(lambda: launcher.status(spec.id).state is JobState.RUNNING)
        took: dict[str, list[float]] = {"status": [], "thaw": []}
        for _ in range(100):
            began = time.perf_counter()
            launcher.status(spec.id)
            took["status"].append(time.perf_counter() - began)
            launcher.signal(spec.id, Signal.FREEZE)
            began = time.perf_counter()
            launcher.signal(spec.id, Signal.THAW)
            took["thaw"].append(time.perf_counter() - began)
        launcher.cancel(spec.id)
        for name, seconds in took.items():
            record_property(name, f"{statistics.median(seconds) * 1000:.2f} ms")
            assert statistics.median(seconds) < 0.01

    def test_it_is_small(self, launcher: RunnerLauncher, runner: Runners, record_property: Callable[..., None]) -> None:
        for _ in range(20):
            launcher.submit(spec := self.spec("pass"))
            wait_for(launcher, spec.id, FINAL)
            list(launcher.logs(spec.id))
        record_property("resident", f"{runner.memory() / 1e6:.1f} MB")
        assert runner.memory() < 40 * 1024 * 1024


@pytest.mark.skipif(packetfilter.find()[0] is None, reason="NOT EXERCISED: the packet filter (needs root and nftables)")
def test_it_guards_its_jobs_from_each_other() -> None:
    with running(packet_filter="required") as made:
        launcher, spec = made.launcher(), replace(TestRunner().serving(), uid=UID)
        launcher.submit(spec)
        address = until(lambda: (s := launcher.status(spec.id)).state is JobState.RUNNING and s.address)
        until(lambda: answer(address) == 200)
        launcher.guard()
        reach = "import socket, sys; h, _, p = sys.argv[1].rpartition(':'); socket.create_connection((h, int(p)), 3)"
        other = [PYTHON, "-c", reach, address]
        done = subprocess.run(other, check=False, capture_output=True, user=UID + 1, group=UID + 1, extra_groups=[])
        assert done.returncode != 0
        assert b"refused" in done.stderr
        launcher.cancel(spec.id)
        wait_for(launcher, spec.id, FINAL)
        launcher.unguard()


def job(**fields: Any) -> JobSpec:
    plain = JobSpec(new_key(), ("/usr/bin/id", "-u"), {"PATH": "/usr/bin:/bin"}, uid=UID, gid=UID)
    return replace(plain, **fields)


def refused(runner: Runners, spec: JobSpec) -> str:
    """Its sentence, after nothing was started."""
    answered = runner.ask(verb="submit", spec=wire.said_spec(spec))
    assert answered.get("error") == "launcher/job-refused", answered
    assert not (runner.home / "jobs" / spec.id).exists()
    return str(answered["message"])


@pytest.fixture(scope="module")
def stolen() -> Iterator[Runners]:
    """A runner whose server is in the hands of an attacker: what it may write, the attacker wrote."""
    with running() as made:
        for folder in ("apps/dev/one", "libraries/key", "builds/mine", "builds/yours"):
            (made.home / folder).mkdir(parents=True)
        for folder in ("apps/dev", "apps/dev/one"):
            (made.home / folder).chmod(0o755)
        os.chown(made.home / "builds" / "mine", UID, 0)
        os.chown(made.home / "builds" / "yours", UID + 1, 0)
        (made.home / "apps" / "root").symlink_to("/root")
        (made.home / "apps" / "dev" / "keys").symlink_to("../../keys")
        (made.home / "apps" / "closed").mkdir(mode=0o700)
        (made.home / "apps" / "closed" / "one").mkdir()
        yield made


def test_a_job_that_is_what_it_should_be_runs(stolen: Runners) -> None:
    """Else the refusals below would prove nothing."""
    home, launcher = stolen.home, stolen.launcher()
    mounts = (
        Mount(f"{home}/apps/dev/one", "/app"),
        Mount(f"{home}/libraries/key", f"{home}/libraries/key"),
        Mount(f"{home}/builds/mine", "/build", writable=True),
        Mount("/usr/bin/env", "/pilothouse/env"),
    )
    spec = job(mounts=mounts)
    launcher.submit(spec)
    assert wait_for(launcher, spec.id, FINAL).exit_code == 0
    assert [line.text for _, line in launcher.logs(spec.id)] == [str(UID)]


@pytest.mark.parametrize("uid", [None, 0, 1000, NOBODY, FIRST_UID - 1, FIRST_UID - 2, FIRST_UID + 7, 2**31, True, "0"])
def test_no_job_runs_as_root_or_as_the_server_or_as_a_person(stolen: Runners, uid: Any) -> None:
    if isinstance(uid, bool | str):
        assert "can't read" in refused(stolen, job(uid=uid, gid=None))
    else:
        assert "Nothing runs here as user" in refused(stolen, job(uid=uid, gid=None))


def test_no_job_gets_the_group_of_another(stolen: Runners) -> None:
    assert "group" in refused(stolen, job(gid=0))
    assert "group" in refused(stolen, job(gid=42))


@pytest.mark.parametrize(
    "source",
    ["/", "/root", "/etc", "/etc/shadow", "/proc", "/run", "/usr/bin", "{home}", "{home}/keys", "{home}/db", "{home}/jobs",
     "{home}/runner.sock", "{home}/apps", "{home}/libraries", "{home}/builds", "{home}/apps/../keys", "{home}/apps/dev/../../keys",
     "{home}/apps//dev", "{home}/apps/dev/", "{home}/apps/./dev", "apps/dev", "{home}/applications"],
)  # fmt: skip
def test_no_job_sees_more_of_the_machine_than_it_is_for(stolen: Runners, source: str) -> None:
    for target in ("/app", source.format(home=stolen.home)):
        refused(stolen, job(mounts=(Mount(source.format(home=stolen.home), target),)))


@pytest.mark.parametrize("below", ["apps/root", "apps/dev/keys", "apps/root/.ssh", "apps/dev/keys/x"])
def test_a_link_that_was_planted_is_not_followed(stolen: Runners, below: str) -> None:
    said = refused(stolen, job(mounts=(Mount(f"{stolen.home}/{below}", "/app"),)))
    assert "symbolic link" in said or "can't be reached" in said


def test_what_is_closed_to_the_jobs_user_is_not_opened_to_it(stolen: Runners) -> None:
    assert "closed" in refused(stolen, job(mounts=(Mount(f"{stolen.home}/apps/closed/one", "/app"),)))


@pytest.mark.parametrize("below", ["apps/dev/one", "libraries/key", "builds/yours", "keys"])
def test_a_job_writes_to_its_own_build_only(stolen: Runners, below: str) -> None:
    refused(stolen, job(mounts=(Mount(f"{stolen.home}/{below}", "/build", writable=True),)))


@pytest.mark.parametrize(
    "target",
    ["/usr/bin/setpriv", "/bin/sh", "/etc/ld.so.preload", "/lib/x86_64-linux-gnu/libc.so.6", "/usr", "/", "/proc/self", "/app/../etc",
     "/pilothouse/../etc/x", "/pilothouse", "/dev/null", "/tmp", "relative"],
)  # fmt: skip
def test_no_mount_takes_the_place_of_a_part_of_the_system(stolen: Runners, target: str) -> None:
    refused(stolen, job(mounts=(Mount(f"{stolen.home}/apps/dev/one", target),)))


def test_no_mount_lies_within_another(stolen: Runners) -> None:
    home = stolen.home
    build = Mount(f"{home}/builds/mine", "/build", writable=True)
    for inner in (Mount(f"{home}/apps/dev/one", "/build"), Mount(f"{home}/apps/dev/one", "/build/x")):
        refused(stolen, job(mounts=(build, inner)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("id", "../../etc/x"), ("id", "a/b"), ("id", ""), ("id", 7), ("argv", []), ("argv", ["id"]), ("argv", "id"), ("argv", ["/a\0b"]),
     ("env", {"A=B": "x"}), ("env", {"A": "x\0y"}), ("env", []), ("cwd", "--bind"), ("grace", 1e9), ("grace", "nan"), ("grace", -1),
     ("mounts", [{"source": "/x"}]), ("resources", {}), ("listens", 1)],
)  # fmt: skip
def test_a_malformed_job_is_refused(stolen: Runners, name: str, value: object) -> None:
    answered = stolen.ask(verb="submit", spec={**wire.said_spec(job()), name: value})
    assert answered["error"] == "launcher/job-refused", answered


@pytest.mark.parametrize("limit", ["1\n1", "max", -1, True, 1e400, [1]])
def test_only_numbers_reach_control_groups(stolen: Runners, limit: object) -> None:
    said = wire.said_spec(job(resources=Resources(memory_limit=1 << 30)))
    said["resources"]["memory_limit"] = limit
    assert stolen.ask(verb="submit", spec=said)["error"] == "launcher/job-refused"


def test_ids_lead_nowhere_else(stolen: Runners) -> None:
    for verb in ("status", "cancel", "signal", "usage", "connections", "reclaim", "forget", "logs"):
        for key in ("../../root", "..", "/", "", "x" * 300):
            said = stolen.ask(verb=verb, id=key, signal="freeze", after=0, limit=1)
            assert said.get("error") == "launcher/job-unknown", (verb, key, said)


def test_what_it_does_not_know_is_an_answer_and_not_its_end(stolen: Runners) -> None:
    for said in (
        {},
        {"verb": "exec"},
        {"verb": ["x"]},
        {"verb": "submit"},
        {"verb": "give"},
        {"verb": "script", "uid": UID},
    ):
        assert "error" in stolen.ask(**said)
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\0\0\0\2[]", b"\0\0\0\3{x}"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(stolen.plan.socket))
            connection.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                connection.sendall(junk)
                assert connection.recv(10) == b""
    assert stolen.launcher().adopt() is not None


def test_only_a_folder_of_the_servers_own_is_given_away(stolen: Runners, tmp_path: Path) -> None:
    own, file = tmp_path / "own", tmp_path / "file"
    own.mkdir()
    file.touch()
    foreign = stolen.home / "builds" / "yours"
    with opened(own) as mine, opened(foreign) as theirs, opened(file) as no_folder:
        for uid in (0, FIRST_UID - 1, NOBODY, None):
            assert stolen.ask(mine, verb="give", uid=uid, mode=0o755)["error"] == "launcher/job-refused"
        assert stolen.ask(mine, verb="give", uid=UID, mode=0o4755)["error"] == "launcher/job-refused"
        assert stolen.ask(theirs, verb="give", uid=UID, mode=0o755)["error"] == "launcher/job-refused"
        assert stolen.ask(no_folder, verb="give", uid=UID, mode=0o755)["error"] == "launcher/job-refused"
        assert (own.stat().st_uid, foreign.stat().st_uid) == (0, UID + 1)
        stolen.launcher().give(mine, UID, mode=0o770)
    assert (own.stat().st_uid, own.stat().st_mode & 0o777) == (UID, 0o770)


def test_only_scripts_that_were_planned_run_and_never_as_root(stolen: Runners) -> None:
    for name in ("sh", "/usr/bin/id", "../x", ""):
        said = stolen.ask(verb="script", name=name, words=[], uid=UID, timeout_s=5)
        assert said["error"] == "launcher/job-refused"
    for uid in (0, FIRST_UID - 1, 1000):
        said = stolen.ask(verb="script", name="unpack", words=[], uid=uid, timeout_s=5)
        assert said["error"] == "launcher/job-refused"


def test_only_the_servers_user_is_heard(stolen: Runners) -> None:
    reach = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"
    command = [PYTHON, "-c", reach, str(stolen.plan.socket)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0, "the probe does not work"
    for uid in (UID, NOBODY):
        done = subprocess.run(command, check=False, capture_output=True, user=uid, group=uid, extra_groups=[])
        assert b"PermissionError" in done.stderr
    with running(peer=FIRST_UID - 2) as made, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(made.plan.socket))  # root may connect to anything; the runner looks at who it is
        connection.settimeout(5)
        assert connection.recv(1) == b""


def test_variables_never_reach_a_disk_or_an_argument(stolen: Runners) -> None:
    secret = new_key(20)
    spec = job(argv=("/usr/bin/sleep", "3"), env={"TOKEN": secret})
    launcher = stolen.launcher()
    launcher.submit(spec)
    until(lambda: launcher.status(spec.id).state is JobState.RUNNING)
    for file in [*(stolen.home / "jobs" / spec.id).iterdir(), stolen.home / "runner.log"]:
        assert secret.encode() not in file.read_bytes()
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert secret.encode() not in words.read_bytes()
        except OSError:
            continue
    launcher.cancel(spec.id)


def test_a_refused_job_can_be_corrected_and_sent_again(stolen: Runners) -> None:
    launcher, spec = stolen.launcher(), job(uid=0)
    with pytest.raises(JobRefused):
        launcher.submit(spec)
    launcher.submit(replace(spec, uid=UID))
    assert wait_for(launcher, spec.id, FINAL).exit_code == 0


class opened:
    """An open file's number."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY)

    def __enter__(self) -> int:
        return self._number

    def __exit__(self, *_: object) -> None:
        os.close(self._number)
