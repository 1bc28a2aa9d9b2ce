"""What the protocol's doors need besides the caller: the settings, the engines, the stage's address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from pilothouse.content.service import WorkerRules
from pilothouse.content.service.credentials import Exchanger
from pilothouse.db import Database
from pilothouse.db.secrets import Secrets
from pilothouse.identity.contract import Rules
from pilothouse.identity.service.exchange import Exchange
from pilothouse.launcher.contract import Launcher
from pilothouse.runtimes.contract import Runtime
from pilothouse.settings import Loaded
from pilothouse.stages import StageRef
from pilothouse.storage.contract import BlobStore


@dataclass(frozen=True)
class Wire:
    """Handed in by ``app.py``. ``public_url`` gives a stage's base URL; ``is_https`` rules how cookies are set.

    ``has_library``, of a language and a key: whether that library is on disk.
    """

    loaded: Loaded
    database: Database
    secrets: Secrets
    blobs: BlobStore
    launcher: Launcher
    runtimes: Callable[[], list[Runtime]]
    has_library: Callable[[str, str], bool]
    public_url: Callable[[int], str]
    worker_rules: WorkerRules
    rules: Rules
    exchange: Exchange
    xsrf_key: bytes
    login_cookie: str
    bootstrap_secret: bytes | None
    exchanger: Exchanger
    hostname: str
    is_https: bool


def wire(request: Request) -> Wire:
    return cast(Wire, request.app.state.wire)


def stage(request: Request) -> StageRef:
    return cast(StageRef, request.state.stage)


WireOf = Annotated[Wire, Depends(wire)]
StageOf = Annotated[StageRef, Depends(stage)]
