"""The local launcher keeps the contract: in a sandbox, without one, and as a plain user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilothouse.launcher.backends.local import LocalLauncher, LocalOptions
from pilothouse.testing.launcher import LauncherSuite

ROOT = Path(__file__).parents[3]
NOBODY = 65_534


class Local(LauncherSuite):
    sandbox = "preferred"

    @pytest.fixture
    def jobs(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="ph-jobs-"))
        folder.chmod(0o711)
        yield folder / "jobs"
        shutil.rmtree(folder, ignore_errors=True)

    @pytest.fixture
    def launcher(self, jobs: Path) -> LocalLauncher:
        return LocalLauncher(LocalOptions(jobs, sandbox=self.sandbox))  # type: ignore[arg-type]

    @pytest.fixture
    def again(self, launcher: LocalLauncher, jobs: Path) -> Callable[[], LocalLauncher]:
        return lambda: LocalLauncher(LocalOptions(jobs, sandbox=self.sandbox))  # type: ignore[arg-type]


class TestLocal(Local):
    identity = {"uid": 200_123} if os.geteuid() == 0 else {}

    def test_it_is_sandboxed_where_bubblewrap_works(self, launcher: LocalLauncher) -> None:
        if shutil.which("bwrap") is None:
            pytest.skip("NOT EXERCISED: the sandbox (no bubblewrap)")
        assert launcher.capabilities().isolation == "bubblewrap"


class TestLocalWithoutSandbox(Local):
    sandbox = "off"
    identity = {"uid": 200_124} if os.geteuid() == 0 else {}


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
