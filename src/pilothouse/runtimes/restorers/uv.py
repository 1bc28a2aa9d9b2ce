"""Python libraries with uv: resolve to exact wheels, fetch or build them, install offline by hash, compile, rename into place."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path

import uv
from packaging.utils import canonicalize_name

from pilothouse.base.ids import new_key
from pilothouse.runtimes import requirements
from pilothouse.runtimes.contract import (
    Artifact,
    BuildRefused,
    IndexUnreachable,
    Library,
    Lock,
    Log,
    ResolutionFailed,
    RestoreFailed,
    Runtime,
    Sandbox,
    Wanted,
)
from pilothouse.runtimes.programs import CERTIFICATES, PROXIES, passed, without_credentials
from pilothouse.runtimes.restorers import choice, tidy, wheels
from pilothouse.runtimes.restorers.sdists import Workshop
from pilothouse.settings.options import Runtimes as RuntimesOptions

MARK = "pilothouse-library.json"
PASSED = (*PROXIES, *CERTIFICATES, "NETRC")
#: How uv says that only a source distribution would do.
WHEELS_MISSING = ("has no wheels", "have no wheels", "no usable wheels", "building from source is disabled")


class NoWheel(ResolutionFailed):
    """A package that is needed has no wheel for this server. Choose a version that has one."""

    code = "runtimes/no-wheel"


@dataclass(frozen=True)
class UvOptions:
    """``libraries`` holds one folder for each library, ``cache`` downloads and uv's own cache; both belong to the server alone.

    ``index`` may carry credentials; they never reach a log; empty = the Python Package Index. Timeouts in seconds.
    """

    libraries: Path
    cache: Path
    index: str
    allow_index_options: bool = False
    timeout_s: float = 1800
    libraries_kept: timedelta = timedelta(days=7)
    cache_limit_bytes: int = 20 * 1024**3


class UvRestorer:
    """Safe to use from several threads and processes at once: a library is built under a lock and appears whole."""

    def __init__(self, options: UvOptions) -> None:
        self._options, self._uv = options, uv.find_uv_bin()
        for folder in (options.libraries, options.cache / "wheels", options.cache / "uv"):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    @classmethod
    def from_settings(cls, home: Path, options: RuntimesOptions) -> UvRestorer:
        """The restorer of the installation at ``home``."""
        return cls(
            UvOptions(
                libraries=home / "libraries",
                cache=home / "cache",
                index=options.python_index,
                allow_index_options=options.allow_index_options,
                timeout_s=options.build_timeout.total_seconds(),
                libraries_kept=options.libraries_kept,
                cache_limit_bytes=options.cache_limit,
            )
        )

    @cached_property
    def _index(self) -> str:
        """The configured index, else the Python Package Index, by the constant of a library that is slow to import."""
        if self._options.index:
            return self._options.index
        from pypi_simple import PYPI_SIMPLE_ENDPOINT

        return PYPI_SIMPLE_ENDPOINT

    @property
    def libraries(self) -> Path:
        return self._options.libraries

    def resolve(self, wanted: Wanted, runtime: Runtime, log: Log, sandbox: Sandbox | None = None) -> Lock:
        text = requirements.check(wanted.requirements, allow_index_options=self._options.allow_index_options)
        missing = [
            e for e in wanted.extra if canonicalize_name(re.split(r"[\[<>=!~ ]", e)[0]) not in requirements.names(text)
        ]
        wish, allowed = text + "\n".join(missing) + "\n", requirements.hashes(text)
        log(f"Resolving {len(requirements.names(text)) + len(missing)} requirements for Python {runtime.version} …")
        try:
            artifacts = self._wheels(wish, allowed, runtime)
        except NoWheel as error:
            if sandbox is None:
                raise BuildRefused(
                    f"{error} The server installs wheels only: choose a version that has one."
                ) from error
            log("Not everything has a wheel for this server: resolving and building in a sandbox …")
            kept, options = self._options.cache / "wheels", self._options
            shop = Workshop(self._index, self._uv, kept, runtime, sandbox, log, options.timeout_s)
            artifacts = shop.artifacts(wish, allowed)
        log(f"Resolved {len(artifacts)} packages.")
        return Lock(tuple(sorted(artifacts, key=lambda a: a.name)))

    def has(self, lock: Lock) -> bool:
        kept = self._options.cache / "wheels"
        return all(wheels.path_of(kept, a).exists() for a in lock.artifacts if a.source_sha256)

    def restore(self, lock: Lock, runtime: Runtime, log: Log) -> Library:
        key, options = self.key(lock, runtime), self._options

        def build() -> None:
            with tidy.using(options.cache):
                files = wheels.fetch(lock.artifacts, options.cache / "wheels", index=self._index, log=log)
                log(f"Installing {len(lock.artifacts)} packages …")
                self._build(key, lock, runtime, files)

        return tidy.restored(options.libraries, key, lock, find=self.find, build=build, log=log)

    def key(self, lock: Lock, runtime: Runtime) -> str:
        parts = [
            "3",
            runtime.build,
            str(runtime.path),
            platform.machine(),
            uv_version(self._uv),
            *sorted(a.sha256 for a in lock.artifacts),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def find(self, key: str) -> Library | None:
        path = self._options.libraries / key
        try:
            prefix = json.loads((path / MARK).read_text())["prefix"]
        except FileNotFoundError:
            return None
        return Library(key, path, path / "bin" / "python", tuple((p, p) for p in (str(path), prefix) if p))

    def tidy(self, needed: Collection[str]) -> list[str]:
        return tidy.everything(needed, self._options)

    def drop(self, keys: Collection[str]) -> list[str]:
        return tidy.drop_libraries(self._options.libraries, keys)

    def _wheels(self, wish: str, allowed: Mapping[str, set[str]], runtime: Runtime) -> list[Artifact]:
        """Wheels only, so that no code of anybody runs here. Raises `NoWheel`, `ResolutionFailed`, `IndexUnreachable`."""
        with tempfile.TemporaryDirectory(dir=self._options.cache) as folder:
            asked, lock = Path(folder, "requirements.in"), Path(folder, "pylock.toml")
            asked.write_text(wish)
            self._resolve_with_uv(asked, lock, runtime)
            document = tomllib.loads(lock.read_text())
        tags, markers = choice.target_facts(str(runtime.path))
        artifacts = []
        for package in choice.wanted_packages(document, dict(markers)):
            found = choice.best_wheel(package, tags, allowed.get(canonicalize_name(package["name"])))
            if found is None:
                raise NoWheel(
                    f"{package['name']} {package['version']} has no wheel for this server that the requirements allow."
                )
            artifacts.append(found)
        return artifacts

    def _resolve_with_uv(self, wish: Path, lock: Path, runtime: Runtime) -> None:
        only_wheels = ("--only-binary", ":all:", "--no-header", "--no-annotate")
        where = ("--python", str(runtime.path), "--default-index", self._index, "--output-file", str(lock))
        asked = ("pip", "compile", "--quiet", "--no-config", "--format", "pylock.toml")
        done = self._run([*asked, *only_wheels, *where, str(wish)])
        if done.returncode != 0:
            reason = clean(done.stderr, wish.parent)
            if "error sending request" in reason or "Could not connect" in reason or "dns error" in reason:
                raise IndexUnreachable(f"The package index does not answer: {reason[-400:]}")
            failure = NoWheel if any(words in reason for words in WHEELS_MISSING) else ResolutionFailed
            raise failure(f"The requirements can't be met: {reason[-1200:]}")

    def _build(self, key: str, lock: Lock, runtime: Runtime, files: Sequence[Path]) -> None:
        """In a temporary name, renamed when whole; ``--relocatable`` makes scripts work under the final one."""
        draft = self._options.libraries / f".{key}.{new_key(6)}"
        with tempfile.TemporaryDirectory(dir=self._options.cache) as folder:
            for file in files:
                os.link(file, Path(folder, file.name))
            exact = Path(folder, "exact.txt")
            exact.write_text("".join(f"{a.name}=={a.version} --hash=sha256:{a.sha256}\n" for a in lock.artifacts))
            self._checked(
                [
                    "venv",
                    "--quiet",
                    "--no-config",
                    "--no-project",
                    "--relocatable",
                    "--python",
                    str(runtime.path),
                    str(draft),
                ]
            )
            if lock.artifacts:
                command = [
                    "pip",
                    "install",
                    "--quiet",
                    "--no-build",
                    "--no-config",
                    "--offline",
                    "--no-index",
                    "--no-deps",
                    "--require-hashes",
                ]
                command += [
                    "--find-links",
                    folder,
                    "--compile-bytecode",
                    "--link-mode",
                    "hardlink",
                    "--python",
                    str(draft / "bin" / "python"),
                ]
                self._checked([*command, "-r", str(exact)])
        (draft / MARK).write_text(json.dumps({"format": 1, "prefix": runtime.prefix, **lock.document()}))
        tidy.make_read_only(draft)
        tidy.touch(draft)
        draft.rename(self._options.libraries / key)

    def _checked(self, command: list[str]) -> None:
        done = self._run(command)
        if done.returncode != 0:
            reason = clean(done.stderr, self._options.libraries)
            if "No space left" in reason:
                raise RestoreFailed(
                    "The packages could not be installed: the server's disk is full. Tell an administrator."
                )
            raise RestoreFailed(f"The packages could not be installed: {reason[-800:]}")

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        env = passed(*PASSED) | {
            "PATH": "/usr/bin:/bin",
            "UV_CACHE_DIR": str(self._options.cache / "uv"),
            "HOME": str(self._options.cache),
            "NO_COLOR": "1",
        }
        try:
            with tidy.using(self._options.cache):
                return subprocess.run(
                    [self._uv, *command],
                    env=env,
                    capture_output=True,
                    text=True,
                    timeout=self._options.timeout_s,
                    check=False,
                    cwd=self._options.cache,
                )
        except subprocess.TimeoutExpired as error:
            raise RestoreFailed(
                f"uv did not finish within {self._options.timeout_s:.0f} seconds. Try again; the index may be slow."
            ) from error


@lru_cache(maxsize=1)
def uv_version(binary: str) -> str:
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout.split()[
        1
    ]


def clean(text: str, folder: Path) -> str:
    """uv's words without credentials, temporary paths and decoration."""
    return " ".join(
        without_credentials(text).replace(str(folder) + "/", "").replace("×", "").replace("╰─▶", "").split()
    )
