"""What a product tells the gateway about its URLs: whose path is this, who may open it, where does it go, wake it.

The one allowed inversion of the house: the door below asks, products above answer; ``app.py`` hands their `RouteOwner`
in. All four methods are called for every request that reaches the door, so they answer from memory where they can.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pilothouse.base.access import Principal, ResourceRef


@dataclass(frozen=True)
class Asked:
    """One request as the door sees it. ``path`` is canonical and begins after the stage's prefix (``/content/…``).

    ``hint`` is the key of the job that served this visitor here before, as a grant of ours says; empty where there is none,
    and for page loads, which choose anew.
    """

    stage_id: int
    stage_path: str
    path: str
    query: str = ""
    method: str = "GET"
    is_page_load: bool = False
    is_websocket: bool = False
    if_none_match: str = ""
    range: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Place:
    """Where a path belongs: the resource and its ``mount`` (from the host's root, ends in ``/``; the stage's prefix included).

    ``guid`` is what its origin is named after, where each item has one of its own. ``bundle_id`` is set when the URL names a
    bundle (``_bundle12``, ``_rev12``). ``redirect`` = send the client to this path instead (a missing slash).
    ``requests_per_minute`` is what all API keys together may ask of it, 0 = no limit.
    """

    subject: ResourceRef
    stage_id: int
    mount: str
    rest: str
    guid: str = ""
    bundle_id: int | None = None
    redirect: str | None = None
    requests_per_minute: int = 0


class Timeout(StrEnum):
    """The four route classes that a content's timeouts are rounded up to."""

    MINUTE = "app1m"
    FIVE_MINUTES = "app5m"
    HOUR = "app1h"
    NONE = "app0"


@dataclass(frozen=True)
class Worker:
    """Send the request to a job. ``address`` is ``ip:port``; ``inner`` the path that replaces the mount (``/`` = stripped).

    ``acts_for_visitors``: the app may use integrations as its visitor, so it gets a token about each with each request.
    """

    address: str
    job_key: str
    inner: str = "/"
    timeout: Timeout = Timeout.FIVE_MINUTES
    bundle_id: int | None = None
    acts_for_visitors: bool = False


@dataclass(frozen=True)
class StaticFile:
    """Send a file: ``path`` is absolute and resolved below our own folders; ``content_type`` and ``etag`` go out as they are."""

    path: str
    size_bytes: int
    etag: str
    content_type: str
    cache_control: str = "private, no-cache"
    bundle_id: int | None = None


@dataclass(frozen=True)
class Start:
    """How far a start is: it was asked for at ``queued_at`` and had its turn at ``began_at`` (``None`` = it waits for it).

    ``usual`` is how long the last one that went well took from its turn on; ``None`` = there was none.
    """

    queued_at: datetime
    began_at: datetime | None = None
    usual: timedelta | None = None


@dataclass(frozen=True)
class Asleep:
    """Nothing runs yet: wake it and ask again. ``starting`` = somebody already did. ``timeout_s`` bounds the waiting.

    ``start`` is the start that people wait for, where there is one already.
    """

    starting: bool
    timeout_s: float
    start: Start | None = None


@dataclass(frozen=True)
class Broken:
    """There is nothing to send to, and waking won't help: never deployed, or the start failed.

    ``reason`` is for people who may change the thing (it may name files and errors), ``log_url`` leads them to the log;
    viewers get a plain sentence. ``status`` is what the client receives: ≥ 500 for a failed start. Where it ``is_locked``,
    ``reason`` is what its owner tells everybody.
    """

    status: int
    reason: str
    log_url: str = ""
    is_locked: bool = False


@dataclass(frozen=True)
class Busy:
    """It runs, and has as many visitors as it may have: whoever comes now is told to wait for a place. Answered with 503."""


@dataclass(frozen=True)
class ControlPlane:
    """The control plane answers this path itself."""


Target = Worker | StaticFile | Asleep | Broken | Busy | ControlPlane


class RouteOwner(Protocol):
    """One product's answers. Synchronous, quick, never raising for a request that is merely wrong."""

    def find(self, asked: Asked) -> Place | None:
        """Whose path this is; ``None`` when it is nobody's (404)."""
        ...

    def may_open(self, place: Place, principal: Principal) -> bool:
        """Whether ``principal`` may see it."""
        ...

    def may_edit(self, place: Place, principal: Principal) -> bool:
        """Whether ``principal`` may see reasons and logs of failures."""
        ...

    def target(self, place: Place, asked: Asked) -> Target:
        """Where the request goes now."""
        ...

    def wake(self, place: Place, principal: Principal) -> None:
        """Start a worker unless one is starting; thaw a frozen one. Returns at once. Called only after `may_open`."""
        ...

    def whom_to_ask(self, place: Place) -> tuple[str, str]:
        """Who may let somebody in: a name, and the address to ask at, each empty where unknown."""
        ...

    def title(self, place: Place) -> str:
        """The name to show on progress and error pages."""
        ...
