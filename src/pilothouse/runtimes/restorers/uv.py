"""Python libraries with uv: resolve to exact wheels, fetch them, install offline by hash, compile, rename into place."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import packaging
import uv
from packaging.markers import Marker
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from pilothouse.base.ids import new_key
from pilothouse.runtimes import requirements
from pilothouse.runtimes.contract import (
    Artifact,
    IndexUnreachable,
    Library,
    Lock,
    Log,
    ResolutionFailed,
    RestoreFailed,
    Runtime,
    Wanted,
)
from pilothouse.runtimes.restorers import tidy, wheels
from pilothouse.settings.options import Runtimes as RuntimesOptions

MARK = "pilothouse-library.json"
PASSED = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "NETRC",
)
CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")

ASK_TAGS = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from packaging.tags import sys_tags; from packaging.markers import default_environment as d; import json;"
    "print(json.dumps([[str(t) for t in sys_tags()], d()]))"
)


@dataclass(frozen=True)
class UvOptions:
    """``libraries`` holds one folder for each library, ``cache`` downloads and uv's own cache; both belong to the server alone.

    ``index`` may carry credentials; they never reach a log. Timeouts in seconds.
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

    def resolve(self, wanted: Wanted, runtime: Runtime, log: Log) -> Lock:
        text = requirements.check(wanted.requirements, allow_index_options=self._options.allow_index_options)
        missing = [
            e for e in wanted.extra if canonicalize_name(re.split(r"[\[<>=!~ ]", e)[0]) not in requirements.names(text)
        ]
        allowed = requirements.hashes(text)
        log(f"Resolving {len(requirements.names(text)) + len(missing)} requirements for Python {runtime.version} …")
        with tempfile.TemporaryDirectory(dir=self._options.cache) as folder:
            wish, lock = Path(folder, "requirements.in"), Path(folder, "pylock.toml")
            wish.write_text(text + "\n".join(missing) + "\n")
            self._resolve_with_uv(wish, lock, runtime)
            document = tomllib.loads(lock.read_text())
        tags, markers = target_facts(str(runtime.path))
        artifacts = [
            choose(package, tags, allowed.get(canonicalize_name(package["name"])))
            for package in document.get("packages", [])
            if "marker" not in package or Marker(package["marker"]).evaluate(dict(markers))
        ]
        log(f"Resolved {len(artifacts)} packages.")
        return Lock(tuple(sorted(artifacts, key=lambda a: a.name)))

    def restore(self, lock: Lock, runtime: Runtime, log: Log) -> Library:
        key = self.key(lock, runtime)
        with tidy.building(self._options.libraries, key):
            found = self.find(key)
            if found is not None:
                tidy.touch(found.path)
                log(f"Using the library that is there already ({len(lock.artifacts)} packages).")
                return found
            with tidy.using(self._options.cache):
                files = wheels.fetch(lock.artifacts, self._options.cache / "wheels", index=self._options.index, log=log)
                log(f"Installing {len(lock.artifacts)} packages …")
                self._build(key, lock, runtime, files)
        library = self.find(key)
        assert library is not None
        return library

    def key(self, lock: Lock, runtime: Runtime) -> str:
        parts = [
            "2",
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
        return Library(key, path, path / "bin" / "python", (str(path), *([prefix] if prefix else [])))

    def tidy(self, needed: Collection[str]) -> list[str]:
        options = self._options
        removed = tidy.remove_libraries(options.libraries, needed, kept=options.libraries_kept)
        tidy.remove_leftovers(options.cache, older_than=tidy.DAY + 2 * timedelta(seconds=options.timeout_s))
        tidy.shrink(options.cache, limit_bytes=options.cache_limit_bytes)
        return removed

    def _resolve_with_uv(self, wish: Path, lock: Path, runtime: Runtime) -> None:
        command = [
            "pip",
            "compile",
            "--quiet",
            "--no-config",
            "--format",
            "pylock.toml",
            "--only-binary",
            ":all:",
            "--no-header",
            "--no-annotate",
        ]
        command += [
            "--python",
            str(runtime.path),
            "--default-index",
            self._options.index,
            "--output-file",
            str(lock),
            str(wish),
        ]
        done = self._run(command)
        if done.returncode != 0:
            reason = clean(done.stderr, wish.parent)
            if "error sending request" in reason or "Could not connect" in reason or "dns error" in reason:
                raise IndexUnreachable(f"The package index does not answer: {reason[-400:]}")
            raise ResolutionFailed(f"The requirements can't be met: {explain(reason)}")

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
        _make_read_only(draft)
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
        env = {name: os.environ[name] for name in PASSED if name in os.environ}
        env |= {
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


def choose(package: dict[str, object], tags: Sequence[Tag], allowed: set[str] | None) -> Artifact:
    """The wheel of one locked package that the interpreter likes best. Raises `ResolutionFailed` if none fits."""
    rank = {tag: place for place, tag in enumerate(tags)}
    best: tuple[int, Artifact] | None = None
    for wheel in package.get("wheels", []):  # type: ignore[attr-defined]
        filename = wheel.get("name") or str(wheel["url"]).split("#")[0].split("?")[0].rsplit("/", 1)[-1].replace(
            "%2B", "+"
        ).replace("%2b", "+")
        places = [rank[tag] for tag in parse_wheel_filename(filename)[3] if tag in rank]
        sha256 = wheel.get("hashes", {}).get("sha256", "")
        if not places or not sha256 or (allowed and sha256 not in allowed):
            continue
        found = Artifact(
            str(package["name"]), str(package["version"]), filename, sha256, wheel["url"], wheel.get("size")
        )
        if best is None or min(places) < best[0]:
            best = (min(places), found)
    if best is None:
        raise ResolutionFailed(
            f"{package['name']} {package['version']} has no wheel for this server that the requirements allow. "
            "Choose a version with a wheel, or ask an administrator to add one to the index."
        )
    return best[1]


@lru_cache(maxsize=50)
def target_facts(python: str) -> tuple[tuple[Tag, ...], tuple[tuple[str, str], ...]]:
    """The wheel tags, best first, and the marker values of an interpreter: it is asked, with our copy of ``packaging``."""
    library = str(Path(packaging.__file__).parent.parent)
    done = subprocess.run(
        [python, "-I", "-S", "-c", ASK_TAGS, library],
        capture_output=True,
        check=True,
        timeout=30,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    tags, markers = json.loads(done.stdout)
    return tuple(Tag(*text.split("-")) for text in tags), tuple(markers.items())


@lru_cache(maxsize=1)
def uv_version(binary: str) -> str:
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout.split()[
        1
    ]


def clean(text: str, folder: Path) -> str:
    """uv's words without credentials, temporary paths and decoration."""
    return " ".join(
        CREDENTIALS.sub("…@", text).replace(str(folder) + "/", "").replace("×", "").replace("╰─▶", "").split()
    )


def explain(reason: str) -> str:
    """The remedy for the commonest cause behind uv's reason."""
    reason = reason[-1200:]
    if "has no wheels" in reason or "building from source is disabled" in reason or "no usable wheels" in reason:
        return f"{reason} The server installs wheels only: choose a version that has one for Linux."
    return reason


def _make_read_only(folder: Path) -> None:
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(root, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555)
    # the top folder stays writable for its owner, so that it can be renamed and removed
