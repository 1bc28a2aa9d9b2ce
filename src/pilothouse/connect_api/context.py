"""What the protocol's doors take from a request: the caller, the stage, and the house's engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from pilothouse.base.access import Principal
from pilothouse.base.errors import NotAuthenticated
from pilothouse.content.service import ContentService
from pilothouse.db import Database
from pilothouse.identity.service import IdentityService
from pilothouse.runtimes.contract import Runtime
from pilothouse.settings import Loaded
from pilothouse.stages import StageRef


@dataclass(frozen=True)
class Wire:
    """Everything the protocol needs, handed in by ``app.py``."""

    loaded: Loaded
    database: Database
