"""The local launcher keeps the contract: in a sandbox, without one, and as a plain user."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilothouse.base.ids import new_key
from pilothouse.launcher.backends.local import LocalLauncher, LocalOptions, packetfilter
from pilothouse.launcher.contract import FINAL, JobState, LauncherDown, Resources, Signal
from pilothouse.testing.launcher import LauncherSuite, answer, until, wait_for

ROOT = Path(__file__).parents[3]
NOBODY = 65_534


class Local(LauncherSuite):
    sandbox = "preferred"
    packet_filter = "off"

    @pytest.fixture
    def jobs(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="ph-jobs-"))
        folder.chmod(0o711)
        yield folder / "jobs"
        shutil.rmtree(folder, ignore_errors=True)

    @pytest.fixture
    def launcher(self, jobs: Path) -> LocalLauncher:
        return self.made(jobs)

    @pytest.fixture
    def again(self, launcher: LocalLauncher, jobs: Path) -> Callable[[], LocalLauncher]:
        return lambda: self.made(jobs)

    def made(self, jobs: Path) -> LocalLauncher:
        return LocalLauncher(LocalOptions(jobs, sandbox=self.sandbox, packet_filter=self.packet_filter))  # type: ignore[arg-type]

    def test_a_job_whose_shim_is_killed_ends_and_is_lost(self, launcher: LocalLauncher, jobs: Path) -> None:
        spec = self.serving()
        launcher.submit(spec)
        status = wait_for(launcher, spec.id, {JobState.RUNNING})
        until(lambda: launcher.status(spec.id).pid)
        assert answer(status.address or "") == 200
        os.kill(json.loads((jobs / spec.id / "state.json").read_text())["shim"], signal.SIGKILL)
        assert wait_for(launcher, spec.id, FINAL).state is JobState.LOST
        until(lambda: not lives(launcher.status(spec.id).pid or 0))

    def test_variables_reach_the_job_whatever_else_is_open(self, jobs: Path) -> None:
        """They come by a file whose number is the lowest free one, which may be the very number that it shall have."""
        code = (
            "import os, sys; from pathlib import Path; jobs, sandbox, uid, *sys.path = sys.argv[1:]\n"
            "from pilothouse.launcher.contract import FINAL, JobSpec\n"
            "from pilothouse.launcher.backends.local import LocalLauncher, LocalOptions\n"
            "from pilothouse.testing.launcher import wait_for\n"
            "launcher = LocalLauncher(LocalOptions(Path(jobs), sandbox=sandbox, packet_filter='off'))\n"
            "made, numbers = os.memfd_create, []\n"
            "os.memfd_create = lambda *words: numbers.append(made(*words)) or numbers[-1]\n"
            "uid = int(uid) if uid else None\n"
            "for place in range(14):\n"
            "    spec = JobSpec(f'job{place}', ('/bin/sh', '-c', 'echo $SAID'), {'SAID': f'{place}'}, uid=uid, gid=uid)\n"
            "    launcher.submit(spec)\n"
            "    wait_for(launcher, spec.id, FINAL)\n"
            "    assert [line.text for _, line in launcher.logs(spec.id)] == [str(place)], numbers\n"
            "    os.open('/dev/null', os.O_RDONLY)\n"
            "print(numbers)"
        )
        words = [sys.executable, "-c", code, str(jobs), self.sandbox, str(self.identity.get("uid", "")), *sys.path]
        done = subprocess.run(words, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert set(range(6, 16)) <= set(json.loads(done.stdout))

    def test_a_job_whose_folder_is_removed_leaves_nothing_behind(self, launcher: LocalLauncher, jobs: Path) -> None:
        mark = new_key()
        launcher.submit(self.spec(f"import time; time.sleep(60)  # {mark}"))
        for folder in jobs.iterdir():
            shutil.rmtree(folder, ignore_errors=True)
        until(lambda: not any(mark in words for words in commands()))

    def test_a_huge_log_rotates_and_keeps_its_numbers(self, jobs: Path) -> None:
        launcher = LocalLauncher(LocalOptions(jobs, sandbox=self.sandbox, log_size=64 * 1024, log_files=3))  # type: ignore[arg-type]
        spec = self.spec("for n in range(20000): print('line', n)")
        launcher.submit(spec)
        wait_for(launcher, spec.id, FINAL)
        lines = list(launcher.logs(spec.id, limit=100_000))
        assert lines[-1][0] == 20_000
        assert lines[-1][1].text == "line 19999"
        assert all(line.text == f"line {number - 1}" for number, line in lines)
        assert sum(f.stat().st_size for f in (jobs / spec.id).glob("log.*")) < 4 * 64 * 1024

    def test_output_that_is_no_text_is_kept_readable(self, launcher: LocalLauncher) -> None:
        code = "import sys; sys.stdout.buffer.write(b'\\xff\\x00\\x1b[31m\\n' + b'x' * 200_000 + b'\\nend')"
        spec = self.spec(code)
        launcher.submit(spec)
        assert wait_for(launcher, spec.id, FINAL).exit_code == 0
        texts = [line.text for _, line in launcher.logs(spec.id)]
        assert texts[-1] == "end"
        assert max(map(len, texts)) <= 64 * 1024
        assert sum(text.count("x") for text in texts) >= 200_000

    def test_a_folder_on_a_full_disk_is_a_clear_error(self, tmp_path: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("NOT EXERCISED: a full disk (needs root to mount a small one)")
        small = tmp_path / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False).returncode != 0:
            pytest.skip("NOT EXERCISED: a full disk (can't mount)")
        try:
            launcher = LocalLauncher(LocalOptions(small / "jobs", sandbox=self.sandbox))  # type: ignore[arg-type]
            with (small / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
            with pytest.raises(LauncherDown, match="No space left"):
                launcher.submit(self.spec("pass"))
            (small / "filler").unlink()
            spec = self.spec("pass")
            launcher.submit(spec)
            assert wait_for(launcher, spec.id, FINAL).exit_code == 0
        finally:
            subprocess.run(["umount", "-l", str(small)], check=True)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def commands() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and lives(int(entry.name)):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.fixture
def swap(tmp_path: Path) -> Iterator[None]:
    """Some swap on this machine, for the moment."""
    file = tmp_path / "swap"
    if len(Path("/proc/swaps").read_text().splitlines()) > 1:
        yield
        return
    if os.geteuid() != 0 or shutil.which("mkswap") is None:
        pytest.skip("NOT EXERCISED: moving memory to swap (needs root and mkswap)")
    with file.open("wb") as stream:
        stream.write(bytes(1 << 20) * 150)
    file.chmod(0o600)
    subprocess.run(["mkswap", "-q", file], check=True)
    if subprocess.run(["swapon", file], capture_output=True, check=False).returncode != 0:
        pytest.skip("NOT EXERCISED: moving memory to swap (this machine allows no swap)")
    yield
    subprocess.run(["swapoff", file], check=True)


class TestLocal(Local):
    identity = {"uid": 200_123} if os.geteuid() == 0 else {}

    def test_it_is_sandboxed_where_bubblewrap_works(self, launcher: LocalLauncher) -> None:
        if shutil.which("bwrap") is None:
            pytest.skip("NOT EXERCISED: the sandbox (no bubblewrap)")
        assert launcher.capabilities().isolation == "bubblewrap"

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_a_frozen_job_makes_room_in_memory_and_works_on(
        self, launcher: LocalLauncher, version: str, request: pytest.FixtureRequest
    ) -> None:
        if (limits := launcher.capabilities().limits) != version:
            pytest.skip(
                f"NOT EXERCISED: moving memory to swap with control groups {version} (here: {limits}; see make cgroups-v2)"
            )
        request.getfixturevalue("swap")
        code = "import time; kept = bytearray(b'x' * 60_000_000); print(len(kept)); time.sleep(1); print(sum(kept[::4096]))"
        spec = self.spec(code, resources=Resources(memory_limit=200 << 20))
        launcher.submit(spec)
        until(lambda: list(launcher.logs(spec.id)))
        assert launcher.reclaim(spec.id) == 0, "it runs"
        launcher.signal(spec.id, Signal.FREEZE)
        assert launcher.memory().swap_free > 0
        assert launcher.reclaim(spec.id) > 50_000_000
        launcher.signal(spec.id, Signal.THAW)
        status = wait_for(launcher, spec.id, FINAL)
        assert (status.exit_code, status.out_of_memory) == (0, False)
        assert [line.text for _, line in launcher.logs(spec.id)] == [
            "60000000",
            str(120 * len(range(0, 60_000_000, 4096))),
        ]


class TestLocalWithoutSandbox(Local):
    sandbox = "off"
    identity = {"uid": 200_124} if os.geteuid() == 0 else {}


@pytest.mark.skipif(packetfilter.find()[0] is None, reason="NOT EXERCISED: the packet filter (needs root and nftables)")
class TestLocalWithPacketFilter(Local):
    packet_filter = "required"
    identity = {"uid": 200_125}

    @pytest.fixture
    def launcher(self, jobs: Path) -> Iterator[LocalLauncher]:
        made = self.made(jobs)
        yield made
        made.unguard()


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above run as a plain user already")
def test_it_keeps_the_contract_as_a_plain_user() -> None:
    """The same suite in a process without root. The interpreter must be readable by that user."""
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("NOT EXERCISED: a plain user (no python3 in /usr/bin)")
    probe = [python, "-c", "import sys; sys.path[:0] = sys.argv[1:]; import pytest", *sys.path]
    plain = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    if subprocess.run(probe, capture_output=True, check=False, cwd="/", **plain).returncode != 0:  # type: ignore[call-overload]
        pytest.skip("NOT EXERCISED: a plain user (it can't read the test packages)")
    code = "import sys; sys.path[:0] = sys.argv[2:]; import pytest; sys.exit(pytest.main([sys.argv[1], '-q', '-x', '-p', 'no:cacheprovider', '-k', 'TestLocal']))"
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    paths = [str(ROOT / "src"), str(ROOT), *sys.path]
    done = subprocess.run(
        [python, "-c", code, __file__, *paths], capture_output=True, text=True, check=False, cwd=ROOT, env=env, **plain
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
