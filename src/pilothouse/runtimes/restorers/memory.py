"""A restorer without an index: it takes every pinned requirement for an artifact and makes empty libraries. For tests."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pilothouse.base import clock
from pilothouse.runtimes import requirements
from pilothouse.runtimes.contract import Artifact, Library, Lock, Log, ResolutionFailed, Runtime, Sandbox, Wanted


class MemoryRestorer:
    def __init__(self, libraries: Path | None = None, *, kept: timedelta = timedelta(days=7)) -> None:
        self._libraries: dict[str, Library] = {}
        self._used: dict[str, datetime] = {}
        self._root, self._kept = libraries or Path("/nonexistent"), kept

    @property
    def libraries(self) -> Path:
        return self._root

    def resolve(self, wanted: Wanted, runtime: Runtime, log: Log, sandbox: Sandbox | None = None) -> Lock:
        text = requirements.check(wanted.requirements, allow_index_options=False)
        artifacts = []
        for line in [*text.split("\n"), *wanted.extra]:
            if not line.strip():
                continue
            requirement = Requirement(line)
            pins = [s.version for s in requirement.specifier if s.operator == "=="]
            if not pins:
                raise ResolutionFailed(f"{requirement.name} is not pinned; this restorer knows no index.")
            name = canonicalize_name(requirement.name)
            digest = hashlib.sha256(f"{name}=={pins[0]}".encode()).hexdigest()
            artifacts.append(Artifact(name, pins[0], f"{name.replace('-', '_')}-{pins[0]}-py3-none-any.whl", digest))
        log(f"Resolved {len(artifacts)} packages.")
        return Lock(tuple(sorted(artifacts, key=lambda a: a.name)))

    def has(self, lock: Lock) -> bool:
        return True

    def restore(self, lock: Lock, runtime: Runtime, log: Log) -> Library:
        key = self.key(lock, runtime)
        self._used[key] = clock.now()
        library = Library(key, self._root / key, runtime.path)
        return self._libraries.setdefault(key, library)

    def key(self, lock: Lock, runtime: Runtime) -> str:
        parts = [runtime.build, *sorted(a.sha256 for a in lock.artifacts)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def find(self, key: str) -> Library | None:
        return self._libraries.get(key)

    def drop(self, keys: Collection[str]) -> list[str]:
        removed = sorted(set(keys) & set(self._libraries))
        for key in removed:
            del self._libraries[key], self._used[key]
        return removed

    def tidy(self, needed: Collection[str]) -> list[str]:
        self._used |= {key: clock.now() for key in needed if key in self._libraries}
        removed = [key for key, used_at in self._used.items() if used_at < clock.now() - self._kept]
        for key in removed:
            del self._libraries[key], self._used[key]
        return removed
