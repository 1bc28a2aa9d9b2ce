"""What a handler is given and may raise, and what readers of a task see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from pilothouse.base.access import ResourceRef
from pilothouse.base.errors import NotFound, PilothouseError
from pilothouse.db import Database


class TaskUnknown(NotFound):
    """There is no task of this id."""

    code = "tasks/task-unknown"


class Retry(Exception):
    """Raised by a handler: put the task back and run it again ``after`` this long. Recorded steps stay."""

    def __init__(self, after: timedelta) -> None:
        super().__init__(f"again in {after}")
        self.after = after


class Interrupted(Exception):
    """Raised inside a handler when the server stops: the task goes back to the queue and loses nothing."""


class Fenced(Exception):
    """Raised inside a handler whose task was taken over by another replica: whatever it does no longer counts."""


class Cancelled(PilothouseError):
    """The task was cancelled."""

    code = "tasks/cancelled"


class Run(Protocol):
    """One attempt at one task. Steps are idempotent: a kill between a step's work and its record repeats the work."""

    id: int
    key: str
    args: Mapping[str, Any]
    actor_id: int | None
    subject: ResourceRef | None
    database: Database

    def step(self, name: str, work: Callable[[], Mapping[str, Any] | None]) -> dict[str, Any]:
        """The recorded result of ``name``; if there is none, do ``work`` and record what it returns (JSON values)."""
        ...

    def log(self, text: str) -> None:
        """Print to the task's output; each line is durable and visible at once."""
        ...

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the task to end. ``step`` raises `Cancelled` by itself."""
        ...


Handler = Callable[[Run], Mapping[str, Any] | None]


@dataclass(frozen=True)
class TaskView:
    """A task as its reader sees it (connect-wire-api §3.3). ``lines`` are those from the asked one on, ``last`` the number to ask for next."""

    key: str
    kind: str
    lines: tuple[str, ...]
    last: int
    is_finished: bool
    code: int
    error: str
    result: dict[str, Any] | None
    actor_id: int | None
    subject: ResourceRef | None
