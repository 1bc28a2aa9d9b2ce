"""Libraries for Node.js: what ``package-lock.json`` names, with ``npm ci``, from the configured registry and without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pilothouse.base.ids import new_key
from pilothouse.runtimes.contract import (
    IndexUnreachable,
    Library,
    Lock,
    Log,
    RequirementRefused,
    ResolutionFailed,
    RestoreFailed,
    Runtime,
    Sandbox,
    Wanted,
)
from pilothouse.runtimes.programs import PROXIES, passed, without_credentials
from pilothouse.runtimes.restorers import package_lock, tidy
from pilothouse.runtimes.restorers.upstream import bare
from pilothouse.settings.options import Runtimes as RuntimesOptions

MARK = "pilothouse-library.json"
#: Where jobs see the packages: Node.js looks in each folder above the app's file, and last in this one.
SEEN_AT = "/node_modules"
PASSED = (*PROXIES, "NODE_EXTRA_CA_CERTS")
FLAGS = ("--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--install-links=true")
#: npm's and the system's words for a registry that is not there.
AWAY = ("ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNRESET", "ERR_SOCKET_TIMEOUT")


class PackageChanged(RestoreFailed):
    """The registry sent other bytes for a package than the lock names. Nothing was installed."""

    code = "runtimes/package-changed"


@dataclass(frozen=True)
class NpmOptions:
    """``libraries`` holds one folder for each library, ``cache`` npm's downloads; both belong to the server alone.

    ``registry`` may carry credentials (user and password, or a token as the user); they never reach a log; empty = npm's own default.
    """

    libraries: Path
    cache: Path
    registry: str = ""
    timeout_s: float = 1800
    libraries_kept: timedelta = timedelta(days=7)
    cache_limit_bytes: int = 20 * 1024**3


class NpmRestorer:
    """Safe to use from several threads and processes at once: a library is built under a lock and appears whole."""

    def __init__(self, options: NpmOptions) -> None:
        self._options = options
        for folder in (options.libraries, options.cache / "npm"):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)

    @classmethod
    def from_settings(cls, home: Path, options: RuntimesOptions) -> NpmRestorer:
        """The restorer of the installation at ``home``."""
        return cls(
            NpmOptions(
                libraries=home / "libraries",
                cache=home / "cache",
                registry=options.npm_registry,
                timeout_s=options.build_timeout.total_seconds(),
                libraries_kept=options.libraries_kept,
                cache_limit_bytes=options.cache_limit,
            )
        )

    @property
    def libraries(self) -> Path:
        return self._options.libraries

    def resolve(self, wanted: Wanted, runtime: Runtime, log: Log, sandbox: Sandbox | None = None) -> Lock:
        """``wanted.requirements`` is the text of ``package-lock.json``: npm has resolved already, so nobody is asked."""
        if wanted.extra:
            raise RequirementRefused(
                "Nothing can be added to a package-lock.json. Add it to the project's package.json."
            )
        document = package_lock.read(wanted.requirements)
        found = package_lock.artifacts(document)
        log(f"The package-lock.json names {len(found)} packages.")
        if scripts := package_lock.with_scripts(document):
            log(f"Not run here: install scripts of {', '.join(scripts[:10])}{' …' if len(scripts) > 10 else ''}.")
        return Lock(found, source=json.dumps(document, sort_keys=True))

    def has(self, lock: Lock) -> bool:
        return True

    def restore(self, lock: Lock, runtime: Runtime, log: Log) -> Library:
        key = self.key(lock, runtime)

        def build() -> None:
            log(f"Installing {len(lock.artifacts)} packages …")
            self._build(key, lock, runtime)

        return tidy.restored(self._options.libraries, key, lock, find=self.find, build=build, log=log)

    def key(self, lock: Lock, runtime: Runtime) -> str:
        digests = sorted(f"{a.name} {a.sha512 or a.sha256}" for a in lock.artifacts)
        parts = ["npm 1", runtime.build, str(runtime.path), platform.machine(), lock.source, *digests]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def find(self, key: str) -> Library | None:
        path = self._options.libraries / key
        try:
            mark = json.loads((path / MARK).read_text())
        except FileNotFoundError:
            return None
        prefix = [(mark["prefix"],) * 2] if mark["prefix"] else []
        return Library(key, path, Path(mark["node"]), ((str(path / "node_modules"), SEEN_AT), *prefix))

    def tidy(self, needed: Collection[str]) -> list[str]:
        return tidy.everything(needed, self._options)

    def drop(self, keys: Collection[str]) -> list[str]:
        return tidy.drop_libraries(self._options.libraries, keys)

    def _build(self, key: str, lock: Lock, runtime: Runtime) -> None:
        """In a temporary name, renamed when whole."""
        draft = self._options.libraries / f".{key}.{new_key(6)}"
        (draft / "node_modules").mkdir(parents=True)
        document = json.loads(lock.source)
        (draft / "package.json").write_text(json.dumps(package_lock.package_json(document)))
        (draft / "package-lock.json").write_text(json.dumps(document))
        self._install(runtime, draft)
        mark = {"format": 1, "node": str(runtime.path), "prefix": runtime.prefix, **lock.document()}
        (draft / MARK).write_text(json.dumps(mark))
        tidy.make_read_only(draft)
        tidy.touch(draft)
        draft.rename(self._options.libraries / key)

    def _install(self, runtime: Runtime, folder: Path) -> None:
        nowhere = ("--userconfig", os.devnull, "--globalconfig", str(self._options.cache / "npm" / "no-such-file"))
        command = [str(runtime.path), str(_npm(runtime)), "ci", *FLAGS, *nowhere]
        try:
            with tidy.using(self._options.cache):
                done = subprocess.run(
                    command,
                    env=self._env(runtime),
                    cwd=folder,
                    umask=0o022,
                    capture_output=True,
                    text=True,
                    timeout=self._options.timeout_s,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            raise RestoreFailed(
                f"npm did not finish within {self._options.timeout_s:.0f} seconds. Try again; the registry may be slow."
            ) from error
        if done.returncode != 0:
            raise _failure(done.stderr, folder)

    def _env(self, runtime: Runtime) -> dict[str, str]:
        """The registry goes by the environment, because arguments can be read by every user of the machine."""
        env = passed(*PASSED) | {
            "PATH": f"{runtime.path.parent}:/usr/bin:/bin",
            "HOME": str(self._options.cache),
            "NO_COLOR": "1",
            "npm_config_cache": str(self._options.cache / "npm"),
            "npm_config_logs_max": "0",
            "npm_config_fetch_retries": "2",
            "npm_config_fetch_retry_mintimeout": "500",
            "npm_config_fetch_retry_maxtimeout": "5000",
        }
        return env | _registry(self._options.registry)


def _registry(address: str) -> dict[str, str]:
    """npm's settings for a registry; credentials count for its own host and path only."""
    if not address:
        return {}
    parts, plain = urlsplit(address), bare(address) + "/"
    found = {"npm_config_registry": plain}
    scope = f"npm_config_{plain.partition(':')[2]}"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password:
        found[f"{scope}:_auth"] = base64.b64encode(f"{user}:{password}".encode()).decode()
    elif user:
        found[f"{scope}:_authToken"] = user
    return found


def _npm(runtime: Runtime) -> Path:
    """npm's script, which comes with Node.js or beside it."""
    found = runtime.path.with_name("npm")
    if not found.exists():
        raise RestoreFailed(
            f"There is no npm beside {runtime.path}. Ask an administrator to install it (Debian, Ubuntu: apt install npm)."
        )
    return found.resolve()


def _failure(said: str, folder: Path) -> Exception:
    """npm's words as one of our errors, without credentials, paths and decoration."""
    lines = (line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in said.splitlines())
    words = " ".join(" ".join(line for line in lines if "complete log" not in line).split())
    reason = without_credentials(words.replace(f"{folder}/", ""))[:800]
    if "ENOSPC" in reason:
        return RestoreFailed("The packages could not be installed: the server's disk is full. Tell an administrator.")
    if any(word in reason for word in AWAY):
        return IndexUnreachable(f"The package registry does not answer: {reason}")
    if "EINTEGRITY" in reason:
        return PackageChanged(f"{PackageChanged()} {reason}")
    if "code E404" in reason or "ETARGET" in reason or "EUSAGE" in reason:
        return ResolutionFailed(f"The package-lock.json can't be met: {reason}")
    return RestoreFailed(f"The packages could not be installed: {reason}")


def installed_npm(runtime: Runtime) -> str | None:
    """The version of the npm that belongs to ``runtime``; ``None`` if there is none."""
    manifest: Any
    try:
        manifest = json.loads((_npm(runtime).parent.parent / "package.json").read_text())
    except (RestoreFailed, OSError, ValueError):
        return None
    return str(manifest.get("version"))
