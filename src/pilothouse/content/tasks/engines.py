"""The engines that content's background work drives, handed in by ``app.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pilothouse.base.ids import derived_token
from pilothouse.content.models import Bundle, Content
from pilothouse.content.service.terms import WorkerRules
from pilothouse.db import Database
from pilothouse.db.secrets import Secrets
from pilothouse.gateway.app_tokens import AppTokens
from pilothouse.launcher.contract import Launcher
from pilothouse.runtimes.contract import Restorer, Runtime
from pilothouse.runtimes.matching import Policy
from pilothouse.stages import Stages
from pilothouse.storage import custody
from pilothouse.storage.contract import BlobStore
from pilothouse.storage.unpack import UnpackLimits


@dataclass(frozen=True)
class Language:
    """How content of one language gets its packages. ``index`` names where from in lock digests; it never appears in a log."""

    restorer: Restorer
    index: str = field(default="", repr=False)


@dataclass(frozen=True)
class ContentEngines:
    """``apps`` holds one folder for each unpacked bundle. ``public_url`` gives a stage's base URL without trailing slash.

    ``rules`` say under which terms workers run. ``matching`` is the rule of a stage for versions. ``uid_of`` is the uid that
    content runs as, ``None`` where all run as the server's own; ``custodian`` does what takes that user's rights. Keys of jobs are derived from
    ``jobs_key``. ``builds`` holds folders in which packages are built, for the moment, each at most ``build_size_limit`` bytes.
    """

    database: Database
    secrets: Secrets
    jobs_key: bytes = field(repr=False)
    blobs: BlobStore
    launcher: Launcher
    languages: Mapping[str, Language]
    stages: Stages
    apps: Path
    runtimes: Callable[[], list[Runtime]]
    matching: Callable[[int], Policy]
    public_url: Callable[[int], str]
    rules: WorkerRules
    uid_of: Callable[[int], int | None]
    unpack_limits: UnpackLimits
    drain_timeout: timedelta
    builds: Path
    build_timeout: timedelta
    build_size_limit: int
    builds_allowed: bool = True
    frozen_limit: int = 50
    memory_reserve: int | None = None
    custodian: custody.Custodian = custody.OWN

    @property
    def app_tokens(self) -> AppTokens:
        return AppTokens(derived_token(self.jobs_key, "app tokens").encode())

    def folder(self, content: Content, bundle: Bundle) -> Path:
        """Where this bundle is unpacked: ``apps/{stage}/{guid}/{bundle id}``."""
        stage = self.stages.by_id(content.stage_id)
        return self.apps / (stage.key if stage else str(content.stage_id)) / content.guid / str(bundle.id)
