"""The packet filter against the kernel: who reaches a job's address, and who can answer there. Each attack succeeds without it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pilothouse.base.ids import new_key
from pilothouse.launcher.backends.local import LocalLauncher, LocalOptions, packetfilter
from pilothouse.launcher.contract import FINAL, JobRefused, JobSpec, JobState, LauncherDown
from pilothouse.testing.launcher import PYTHON, answer, until, wait_for

OWNER, STRANGER = 200_701, 200_702
#: A job that listens where it is told to: at its address, or everywhere.
LISTEN = (
    "import socket, sys\n"
    "s = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
    "while True:\n"
    "  c, _ = s.accept()\n"
    "  c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n')\n"
    "  c.close()\n"
)
#: Sits at an address of somebody else and prints what it receives. ``flood`` makes the kernel answer with SYN cookies.
SQUAT = (
    "import socket, sys\n"
    "host, port, flood = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])\n"
    "s = socket.socket(); s.bind((host, port))\n"
    "s.setsockopt(socket.IPPROTO_TCP, 9, 60 if flood else 0); s.listen(1)\n"  # 9: TCP_DEFER_ACCEPT
    "held = [socket.socket() for _ in range(flood)]\n"
    "for c in held: c.setblocking(False); c.connect_ex(('127.0.0.1', port))\n"
    "print('sits', flush=True)\n"
    "while True:\n"
    "  c, _ = s.accept(); print(c.recv(99).decode(), flush=True); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n'); c.close()\n"
)
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2); print('reached')"


@pytest.fixture(autouse=True, scope="module")
def _needs_nftables() -> None:
    nft, why = packetfilter.find()
    if nft is None:
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(why)
        pytest.skip(f"NOT EXERCISED, no packet filter: {why}")


@pytest.fixture
def jobs() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ph-jobs-"))
    folder.chmod(0o711)
    yield folder / "jobs"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(jobs: Path) -> Iterator[Callable[[str], LocalLauncher]]:
    """Makes launchers with the filter ``required`` or ``off``; ends their jobs and takes their table away afterwards."""
    made: list[LocalLauncher] = []

    def begin(packet_filter: str) -> LocalLauncher:
        made.append(LocalLauncher(LocalOptions(jobs, packet_filter=packet_filter)))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for launcher in made:
        for key, status in launcher.adopt().items():
            if status.state not in FINAL:
                launcher.cancel(key)
                wait_for(launcher, key, FINAL)
        launcher.unguard()


@pytest.fixture
def launcher(start: Callable[[str], LocalLauncher]) -> LocalLauncher:
    return start("required")


def run_job(launcher: LocalLauncher, code: str = LISTEN, host: str = "{host}") -> tuple[str, str, int]:
    """A job of `OWNER` that listens; its id, host and port."""
    spec = JobSpec(
        new_key(), (PYTHON, "-u", "-c", code, host, "{port}"), {"PATH": "/usr/bin:/bin"},
        uid=OWNER, gid=OWNER, listens=True,
    )  # fmt: skip
    status = launcher.submit(spec)
    wait_for(launcher, spec.id, {JobState.RUNNING})
    assert status.address
    address, _, port = status.address.rpartition(":")
    return spec.id, address, int(port)


def reaches(host: str, port: int, uid: int) -> bool:
    """Whether a process of ``uid`` gets a connection."""
    command = [PYTHON, "-c", CONNECT, host, str(port)]
    identity = {"user": uid, "group": uid, "extra_groups": []}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd="/", env={}, **identity)  # type: ignore[call-overload]
    return done.stdout == "reached\n"


@contextmanager
def squatter(host: str, port: int, *, flood: int = 0) -> Iterator[Callable[[], str]]:
    """A process of `STRANGER` that listens there. Yields what gives all that it received so far."""
    command = [PYTHON, "-u", "-c", SQUAT, host, str(port), str(flood)]
    identity = {"user": STRANGER, "group": STRANGER, "extra_groups": []}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd="/", env={}, **identity)  # type: ignore[call-overload]

        def told() -> str:
            return os.pread(output.fileno(), 1 << 16, 0).decode()  # its place in the file is the process's, too

        try:
            until(lambda: "sits" in told() or process.poll() is not None)
            assert process.poll() is None, told()
            yield lambda: told().partition("sits\n")[2]
        finally:
            process.kill()
            process.wait()


def secret_sent(host: str, port: int) -> bool:
    """As the gateway (root): send something to a job's address. Whether a connection came about."""
    try:
        with socket.create_connection((host, port), timeout=1.5) as connection:
            connection.sendall(b"identity of a visitor")
            connection.recv(1)
            return True
    except OSError:
        return False


def test_only_the_gateway_and_the_job_itself_reach_a_job(launcher: LocalLauncher) -> None:
    _, host, port = run_job(launcher)
    assert answer(f"{host}:{port}") == 200
    assert reaches(host, port, OWNER)
    assert not reaches(host, port, STRANGER)


def test_without_the_filter_everybody_reaches_a_job(start: Callable[[str], LocalLauncher]) -> None:
    _, host, port = run_job(start("off"))
    assert answer(f"{host}:{port}") == 200
    assert reaches(host, port, STRANGER)


def test_a_refusal_comes_at_once(launcher: LocalLauncher) -> None:
    _, host, port = run_job(launcher)
    answer(f"{host}:{port}")
    began = time.monotonic()
    assert not reaches(host, port, STRANGER)
    assert time.monotonic() - began < 1.5, "it was dropped, not refused"


@pytest.mark.parametrize(("everywhere", "flood"), [(False, 0), (True, 0), (True, 2)])
def test_nobody_else_can_answer_at_a_live_jobs_address(
    start: Callable[[str], LocalLauncher], everywhere: bool, flood: int
) -> None:
    """The job runs but does not listen; also not with SYN cookies, whose sender the kernel does not know."""
    for setting, is_reached in (("off", True), ("required", False)):
        launcher = start(setting)
        job, host, port = run_job(launcher, "import time; time.sleep(100)")
        with squatter("0.0.0.0" if everywhere else host, port, flood=flood) as heard:
            assert secret_sent(host, port) is is_reached
            assert ("identity of a visitor" in heard()) is is_reached
        launcher.cancel(job)
        wait_for(launcher, job, FINAL)


def test_the_place_of_an_ended_job_can_not_be_taken_and_is_refused_at_once(
    start: Callable[[str], LocalLauncher],
) -> None:
    for setting, is_reached in (("off", True), ("required", False)):
        launcher = start(setting)
        job, host, port = run_job(launcher)
        answer(f"{host}:{port}")
        launcher.cancel(job)
        wait_for(launcher, job, FINAL)
        launcher.guard()
        with squatter(host, port) as heard:
            began = time.monotonic()
            assert secret_sent(host, port) is is_reached
            assert time.monotonic() - began < 1.0
            assert ("identity of a visitor" in heard()) is is_reached


def test_a_job_that_listens_everywhere_answers_at_its_own_address_only(start: Callable[[str], LocalLauncher]) -> None:
    for setting, is_reached in (("off", True), ("required", False)):
        launcher = start(setting)
        _, host, port = run_job(launcher, host="")
        assert answer(f"{host}:{port}") == 200
        assert reaches("127.0.0.1", port, STRANGER) is is_reached
        assert reaches("127.99.0.1", port, 0) is is_reached


def test_a_job_may_serve_its_own_processes_on_other_ports(launcher: LocalLauncher) -> None:
    """Parallel clusters and notebooks' kernels do that."""
    code = (
        "import socket, sys\n"
        "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), timeout=5)\n"
        "print('own server reached')\n"
    )
    job, _, _ = run_job(launcher, code + "import time; time.sleep(100)")
    until(lambda: [line.text for _, line in launcher.logs(job)] == ["own server reached"])


def test_rules_that_somebody_flushed_come_back(
    launcher: LocalLauncher, start: Callable[[str], LocalLauncher], jobs: Path
) -> None:
    _, host, port = run_job(launcher)
    answer(f"{host}:{port}")
    flush(jobs)
    assert reaches(host, port, STRANGER)
    start("required").guard()
    assert not reaches(host, port, STRANGER)
    flush(jobs)
    _, second, second_port = run_job(launcher)
    answer(f"{second}:{second_port}")
    assert not reaches(second, second_port, STRANGER)
    assert not reaches(host, port, STRANGER)


def test_a_job_outlives_its_launcher_and_stays_guarded(
    launcher: LocalLauncher, start: Callable[[str], LocalLauncher]
) -> None:
    _, host, port = run_job(launcher)
    start("required").guard()
    assert answer(f"{host}:{port}") == 200
    assert not reaches(host, port, STRANGER)


def test_the_table_goes_when_the_last_job_has_ended(launcher: LocalLauncher, jobs: Path) -> None:
    job, _, _ = run_job(launcher)
    launcher.unguard()
    assert has_table(jobs)
    launcher.cancel(job)
    wait_for(launcher, job, FINAL)
    launcher.unguard()
    assert not has_table(jobs)


def test_asking_what_works_changes_nothing(launcher: LocalLauncher, jobs: Path) -> None:
    assert any("packet filter" in fact for fact in launcher.capabilities().facts)
    assert not has_table(jobs)


def test_a_job_does_not_start_unguarded(jobs: Path, launcher: LocalLauncher) -> None:
    """The machine lost its packet filter while the server ran: no start is better than an open door."""
    broken = LocalLauncher(LocalOptions(jobs, packet_filter="required"))
    assert broken._filter is not None
    broken._filter._nft = "/bin/false"
    with pytest.raises(LauncherDown, match="could not be started"):
        run_job(broken)
    assert all(status.state is not JobState.RUNNING for status in broken.adopt().values())


def test_a_plain_user_can_not_require_it(jobs: Path) -> None:
    jobs.mkdir()
    jobs.chmod(0o777)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from pilothouse.launcher.backends.local import LocalLauncher, LocalOptions\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "LocalLauncher(LocalOptions(Path(sys.argv[1]), packet_filter='required'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(jobs)], capture_output=True, text=True, check=False)
    assert JobRefused.__name__ in done.stderr
    assert "does not run as root" in done.stderr


def flush(jobs: Path) -> None:
    subprocess.run(["nft", "delete", "table", "inet", table(jobs)], check=True, env={"PATH": "/usr/sbin:/sbin"})


def has_table(jobs: Path) -> bool:
    command = ["nft", "list", "table", "inet", table(jobs)]
    return subprocess.run(command, capture_output=True, check=False, env={"PATH": "/usr/sbin:/sbin"}).returncode == 0


def table(jobs: Path) -> str:
    return packetfilter.PacketFilter("", jobs, list).table
