"""Nouns of the room, and what a restorer owes: first an exact lock, then a library that holds just that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pilothouse.base.errors import Invalid, NotFound, PilothouseError, Unavailable

#: Receives one line of progress.
Log = Callable[[str], None]


class NoMatchingRuntime(NotFound):
    """No installed version fits. Ask an administrator to add one."""

    code = "runtimes/no-matching-runtime"


class RequirementRefused(Invalid):
    """A requirement is not accepted. Correct the requirements file."""

    code = "runtimes/requirement-refused"


class ResolutionFailed(Invalid):
    """The requirements can't be met. Correct the requirements file."""

    code = "runtimes/resolution-failed"


class RestoreFailed(PilothouseError):
    """The packages could not be installed."""

    code = "runtimes/restore-failed"


class BuildRefused(ResolutionFailed):
    """A package has no wheel, and this server does not build packages. Choose a version that has one for Linux."""

    code = "runtimes/build-refused"


class BuildFailed(ResolutionFailed):
    """A package could not be built. Choose a version that has a wheel, or correct its source."""

    code = "runtimes/build-failed"


class IndexUnreachable(Unavailable):
    """The package index does not answer. Try again; if it stays so, tell an administrator."""

    code = "runtimes/index-unreachable"


@dataclass(frozen=True)
class Runtime:
    """One installed interpreter. ``version`` is full (``3.11.2``), ``build`` tells two builds of one version apart.

    ``prefix`` is the folder jobs must be able to read; ``""`` when it is part of the system (``/usr``).
    """

    kind: str
    version: str
    path: Path
    build: str
    prefix: str = ""


@dataclass(frozen=True)
class Artifact:
    """One installable file, known by its sha256 or, where its registry names only that, its sha512 (both hex).

    ``source_sha256`` is set when we built it, from the source of that hash: then there is no ``url`` to get it from again.
    """

    name: str
    version: str
    filename: str
    sha256: str
    url: str = ""
    size_bytes: int | None = None
    source_sha256: str = ""
    sha512: str = ""


@dataclass(frozen=True)
class Lock:
    """Exactly the artifacts of a library, sorted by name; for one interpreter build.

    ``source`` is the installer's own form of it, where that says more than the list.
    """

    artifacts: tuple[Artifact, ...]
    source: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON values, for keeping."""
        source = {"source": self.source} if self.source else {}
        return {"format": 1, "artifacts": [vars(a) for a in self.artifacts], **source}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Lock:
        return cls(tuple(Artifact(**a) for a in document["artifacts"]), document.get("source", ""))

    @property
    def is_shareable(self) -> bool:
        """Whether everybody may use it: nothing in it was made by code of its first user's choice (SECURITY 18)."""
        return not any(a.source_sha256 for a in self.artifacts)


@dataclass(frozen=True)
class Wanted:
    """What a bundle asks for. ``requirements`` is the text of its requirements file; ``extra`` is what its kind adds."""

    requirements: str
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Library:
    """Packages on disk, read-only. ``interpreter`` is what to run, ``key`` the name under which it is shared.

    ``mounts`` are paths of the host and where a job must see them.
    """

    key: str
    path: Path
    interpreter: Path
    mounts: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True)
class Step:
    """A command that may run code of a package's author. It sees ``folder`` at ``/build`` and may write there.

    ``readable`` maps further paths of the host to where the command sees them. Every step gets a folder of its own.
    """

    argv: tuple[str, ...]
    folder: Path
    readable: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Protocol):
    """Where such commands run: as the content's user, with no network, no secrets, and an end to time, memory and disk."""

    def folder(self) -> AbstractContextManager[Path]:
        """An empty folder that only steps may write; gone afterwards. Raises `BuildRefused` where nothing isolates."""
        ...

    def run(self, step: Step, log: Log) -> None:
        """Returns when the command has ended well; what it prints goes to ``log``. Raises `BuildFailed`."""
        ...


class Restorer(Protocol):
    """From wishes to packages in two steps; the first needs the index, the second only what the first named."""

    @property
    def libraries(self) -> Path:
        """The folder of its libraries. Restorers with the same folder share it, and one of them tidies for all."""
        ...

    def resolve(self, wanted: Wanted, runtime: Runtime, log: Log, sandbox: Sandbox | None = None) -> Lock:
        """The exact artifacts. What has no wheel is built in ``sandbox``, else `BuildRefused` is raised.

        Raises `RequirementRefused`, `ResolutionFailed`, `BuildFailed`, `IndexUnreachable`.
        """
        ...

    def has(self, lock: Lock) -> bool:
        """Whether all that was built for ``lock`` is still here; the rest comes from the index again."""
        ...

    def restore(self, lock: Lock, runtime: Runtime, log: Log) -> Library:
        """The library of ``lock``; an existing one is returned at once. Raises `RestoreFailed`, `IndexUnreachable`."""
        ...

    def key(self, lock: Lock, runtime: Runtime) -> str:
        """The name of the library: a digest of interpreter build, platform, installer and all artifacts (64 hex digits)."""
        ...

    def find(self, key: str) -> Library | None:
        """The library of this name, if it is on disk and whole."""
        ...

    def tidy(self, needed: Collection[str]) -> list[str]:
        """Remove libraries that nobody needs, and downloads that take more room than they may; returns the keys of the libraries.

        ``needed`` names those that must stay. Others stay for a while after they were last needed or restored. Builds that run
        meanwhile, in whatever process, are not disturbed and not waited for. What was removed can be restored again.
        """
        ...

    def drop(self, keys: Collection[str]) -> list[str]:
        """Remove these libraries now, however lately they were used, but for those being built; returns the keys of what went."""
        ...
