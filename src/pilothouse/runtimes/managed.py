"""Pythons that we install and remove ourselves, with uv, in one folder that all jobs can read."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uv
from packaging.version import Version

from pilothouse.base.errors import Invalid, NotFound, PilothouseError
from pilothouse.base.ids import new_key
from pilothouse.runtimes.contract import Log
from pilothouse.runtimes.discover import is_open
from pilothouse.runtimes.programs import CERTIFICATES, PROXIES, passed, without_credentials
from pilothouse.settings.options import Runtimes as RuntimesOptions

VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,2})?")
FOLDER = re.compile(r"cpython-(\d+\.\d+\.\d+)-linux-[a-z0-9_]+-(?:gnu|musl)")


class RuntimeVersionInvalid(Invalid):
    """This is no version of Python. Write for example 3.12 or 3.12.4."""

    code = "runtimes/version-invalid"


class RuntimeNotManaged(NotFound):
    """`pilothouse runtime` did not install this version. `pilothouse runtime list` shows what it did."""

    code = "runtimes/not-managed"


class RuntimeFolderUnusable(PilothouseError):
    """The folder `runtimes` of the installation can't be changed. Run the command as the user who runs the server."""

    code = "runtimes/folder-unusable"


class RuntimeNotInstalled(PilothouseError):
    """The version could not be installed. Check `runtimes.python_mirror` and the network, then try again."""

    code = "runtimes/not-installed"


@dataclass(frozen=True)
class ManagedPythons:
    """``folder`` is ours alone to write and readable for all; below ``cache`` each installation has a folder for its moment.

    ``mirror`` and ``downloads`` may carry credentials; they are never shown.
    """

    folder: Path
    cache: Path
    mirror: str = field(default="", repr=False)
    downloads: str = field(default="", repr=False)
    timeout_s: float = 1800

    @classmethod
    def from_settings(cls, home: Path, options: RuntimesOptions) -> ManagedPythons:
        """Those of the installation at ``home``."""
        return cls(
            folder=home / "runtimes",
            cache=home / "cache" / "pythons",
            mirror=options.python_mirror,
            downloads=options.python_downloads,
            timeout_s=options.build_timeout.total_seconds(),
        )

    def installed(self) -> dict[str, Path]:
        """Interpreters by full version, newest first; read from disk, so that what a command added counts at once."""
        folders = self.folder.glob("cpython-*") if self.folder.is_dir() else []
        found = {
            named[1]: path / "bin" / f"python{named[1].rpartition('.')[0]}"
            for path in folders
            if not path.is_symlink() and (named := FOLDER.fullmatch(path.name))
        }
        return {v: found[v] for v in sorted(found, key=Version, reverse=True) if found[v].exists()}

    def add(self, version: str, log: Log, *, for_all: bool) -> str:
        """Install the newest patch of ``3.Y`` unless one was added before, or just ``3.Y.Z``; returns the full version. Safe to repeat.

        ``for_all``: other users must be able to read it. Raises `RuntimeVersionInvalid`, `RuntimeNotInstalled`,
        `RuntimeFolderUnusable`.
        """
        if not VERSION.fullmatch(version):
            raise RuntimeVersionInvalid(f"“{version[:40]}” is no version of Python. Write for example 3.12 or 3.12.4.")
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.folder.chmod(0o755)
        except OSError as error:
            raise RuntimeFolderUnusable from error
        if for_all and not is_open(self.folder):
            raise RuntimeNotInstalled(
                f"Apps run as users of their own and can't read {self.folder}. Open the folders above it with chmod o+x, "
                "or move the installation."
            )
        log(f"Installing Python {version} …")
        cache = self.cache / new_key(6)
        try:
            self._install(version, cache)
        finally:
            shutil.rmtree(cache, ignore_errors=True)
        return next(v for v in self.installed() if v == version or v.startswith(f"{version}."))

    @contextmanager
    def set_aside(self, version: str) -> Iterator[None]:
        """Nothing finds this full version from now on. It is deleted at the end of the block, or comes back if the block raises.

        Raises `RuntimeNotManaged`, `RuntimeFolderUnusable`.
        """
        home, aside = self.home_of(version), self.folder / f".removed-{new_key(6)}"
        try:
            home.rename(aside)
        except OSError as error:
            raise RuntimeFolderUnusable from error
        try:
            yield
        except BaseException:
            aside.rename(home)
            raise
        self._tidy()

    def _tidy(self) -> None:
        """What was removed, also by a command that was killed over it, and uv's links to it."""
        for aside in self.folder.glob(".removed-*"):
            shutil.rmtree(aside, ignore_errors=True)
        for link in self.folder.glob("cpython-*"):
            if link.is_symlink() and not link.exists():
                link.unlink(missing_ok=True)

    def home_of(self, version: str) -> Path:
        """The folder that holds this full version: its ``sys.base_prefix``. Raises `RuntimeNotManaged`."""
        found = self.installed().get(version)
        if found is None:
            have = ", ".join(self.installed()) or "none"
            raise RuntimeNotManaged(
                f"Python {version[:40]} was not installed by `pilothouse runtime add`; these were: {have}."
            )
        return found.parent.parent

    def _install(self, version: str, cache: Path) -> None:
        env = passed(*PROXIES, *CERTIFICATES) | {
            "PATH": "/usr/bin:/bin",
            "HOME": str(cache),
            "NO_COLOR": "1",
            "UV_CACHE_DIR": str(cache),
            "UV_PYTHON_INSTALL_DIR": str(self.folder),
        }
        if self.mirror:
            env["UV_PYTHON_INSTALL_MIRROR"] = self.mirror
        if self.downloads:
            env["UV_PYTHON_DOWNLOADS_JSON_URL"] = self.downloads
        command = [uv.find_uv_bin(), "python", "install", "--no-config", "--no-bin", "--no-progress", version]
        cache.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                command,
                env=env,
                cwd=self.folder,
                umask=0o022,
                capture_output=True,
                text=True,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeNotInstalled(
                f"Python {version} was not there after {self.timeout_s:.0f} seconds. Try again; the mirror may be slow."
            ) from error
        if done.returncode != 0:
            reason = " ".join(without_credentials(done.stderr).split())[-800:]
            raise RuntimeNotInstalled(
                f"Python {version} could not be installed: {reason}. "
                "Check the version, runtimes.python_mirror and the network, then try again."
            )
