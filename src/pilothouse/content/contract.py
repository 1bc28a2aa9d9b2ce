"""What a kind of content owes: recognise a bundle, refuse a broken one in words, and say what to install and what to run.

Kinds are pure: they see a `Project` (files on disk and the manifest) and return commands; others run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pilothouse.base.errors import Conflict, Invalid, NotFound, PilothouseError


class ContentUnknown(NotFound):
    """There is no such content, or you may not see it."""

    code = "content/content-unknown"


class BundleUnknown(NotFound):
    """This content has no such bundle."""

    code = "content/bundle-unknown"


class JobUnknownHere(NotFound):
    """This content has no such job."""

    code = "content/job-unknown"


class GrantUnknown(NotFound):
    """This content's access list has no such line."""

    code = "content/grant-unknown"


class OwnerNeeded(Conflict):
    """The person owns content. Name a publisher who takes it over, or delete it first."""

    code = "content/owner-needed"


class NameTaken(Conflict):
    """You have content of this name already. Choose another name, or deploy to the one that is there."""

    code = "content/name-taken"


class BundleActive(Conflict):
    """This bundle is the active one. Activate another before you delete it."""

    code = "content/bundle-active"


class ContentLocked(Conflict):
    """This content is locked."""

    code = "content/locked"


class ContentInvalid(Invalid):
    """A field of the content is not valid."""

    code = "content/invalid"


class ManifestInvalid(Invalid):
    """The bundle's manifest.json is not valid. Deploy with a publishing client, which writes it."""

    code = "content/manifest-invalid"


class UnknownAppMode(Invalid):
    """This kind of content can't be run here."""

    code = "content/unknown-app-mode"


class EntrypointMissing(Invalid):
    """The entry point is not in the bundle."""

    code = "content/entrypoint-missing"


class VanityInvalid(Invalid):
    """This can't be a path of its own for content. Choose another one."""

    code = "content/vanity-invalid"


class VanityTaken(Conflict):
    """This path is, contains or lies below the path of other content. Choose another one."""

    code = "content/vanity-taken"


class VanityUnknown(NotFound):
    """This content has no path of its own."""

    code = "content/vanity-unknown"


class VariableInvalid(Invalid):
    """A variable's name may hold letters, digits and _, and must not begin with a digit."""

    code = "content/variable-invalid"


class UsageInvalid(Invalid):
    """What is asked of the use of content is not valid."""

    code = "content/usage-invalid"


class StartFailed(PilothouseError):
    """The content did not start. Look at its log."""

    code = "content/start-failed"


@dataclass(frozen=True)
class Manifest:
    """The parts of ``manifest.json`` (connect-wire-api §4.2) that we use. ``document`` is all of it."""

    app_mode: str
    entrypoint: str = ""
    primary_html: str = ""
    category: str = ""
    has_parameters: bool = False
    python_version: str | None = None
    python_requires: str | None = None
    node_version: str | None = None
    node_requires: str | None = None
    requirements_file: str = "requirements.txt"
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def version_of(self, language: str) -> tuple[str | None, str | None]:
        """The version of ``language`` that the bundle was made with, and the versions it says it can run with."""
        if language == "nodejs":
            return self.node_version, self.node_requires
        return self.python_version, self.python_requires


@dataclass(frozen=True)
class Project:
    """An unpacked bundle: ``root`` is where the content begins."""

    root: Path
    manifest: Manifest

    def has(self, relative: str) -> bool:
        """Whether the bundle holds this file; never one outside of it."""
        path = self.root / relative
        return path.is_file() and path.resolve().is_relative_to(self.root.resolve())

    @property
    def requirements(self) -> str | None:
        """The text of the requirements file, ``None`` if the bundle has none."""
        name = self.manifest.requirements_file
        return (self.root / name).read_text(errors="replace") if self.has(name) else None


@dataclass(frozen=True)
class Launch:
    """Where a worker will find things inside its job. ``interpreter`` is what its library was made for.

    ``starter`` is our script that starts Python content, ``preload`` ours that Node.js loads before an app.
    ``secret`` is known to this content's workers alone, and the same to all of them: what one signs, another may check.
    """

    project: Project
    app: str
    interpreter: str
    starter: str
    preload: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Command:
    """What to run; ``{host}`` and ``{port}`` are replaced by the address. ``env`` are variables of the kind."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


class ContentKind(Protocol):
    """One kind of content. The class facts are read without an instance.

    ``strips_prefix``: the worker sees paths relative to its mount. ``serves_files``: no worker, the gateway sends files.
    ``job_tag``: the wire's word for its jobs (§3.5). ``requirements``: what the server itself needs in the library.
    """

    app_mode: ClassVar[str]
    title: ClassVar[str]
    language: ClassVar[str]
    job_tag: ClassVar[str]
    strips_prefix: ClassVar[bool]
    serves_files: ClassVar[bool]
    requirements: ClassVar[tuple[str, ...]]

    def detect(self, manifest: Manifest) -> bool:
        """Whether a bundle with this manifest is of this kind."""
        ...

    def validate(self, project: Project) -> None:
        """Raise `EntrypointMissing` (or another `Invalid`) with a sentence for a bundle that can't run."""
        ...

    def command(self, launch: Launch) -> Command:
        """What to run for one worker. Not called for kinds that serve files."""
        ...
