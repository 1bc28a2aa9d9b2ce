"""What the gateway is to be: ports, names, folders. Plain values, from which `envoy.config` makes Envoy's configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pilothouse.base.errors import Invalid

#: First path segments that the control plane answers itself on the dashboard, below each stage's path.
#: ``content`` and ``s`` are reserved too, but lead to jobs, so the door is asked.
OWN_SEGMENTS = (
    "__api__",
    "__login__",
    "__logout__",
    "__ping__",
    "__docs__",
    "__oauth__",
    "api",
    "auth",
    "connect",
    "oauth",
    "packages",
    "static",
    ".well-known",
    "_",
    "robots.txt",
    "healthz",
    "readyz",
    "metrics",
)


class AddressInvalid(Invalid):
    """The gateway listens on an IP address, not on a name. Set server.host to one, for example 0.0.0.0 for all."""

    code = "gateway/address-invalid"


class Origin(StrEnum):
    """The three kinds of sites a browser keeps apart (SECURITY 1)."""

    DASHBOARD = "dashboard"
    CONTENT = "content"
    SESSION = "session"


@dataclass(frozen=True)
class Site:
    """One origin on a port. Requests whose host name is none of ``hosts`` (without ports) get 421.

    ``own`` are the first path segments, below each stage's path, that the control plane answers without the door.
    ``has_home``: so are the stages' paths themselves. ``sandboxed``: answers of apps and files carry
    ``Content-Security-Policy: sandbox``, because they share this origin with the dashboard.
    """

    origin: Origin
    hosts: tuple[str, ...]
    own: tuple[str, ...] = ("__ping__",)
    has_home: bool = False
    sandboxed: bool = False


def dashboard(hosts: tuple[str, ...], *, sandboxed: bool = True) -> Site:
    """The dashboard's site with its usual paths."""
    return Site(Origin.DASHBOARD, hosts, own=OWN_SEGMENTS, has_home=True, sandboxed=sandboxed)


@dataclass(frozen=True)
class Listener:
    """One port with its sites. ``keeps_slashes``: ``%2F`` in a path reaches the job instead of being refused."""

    port: int
    sites: tuple[Site, ...]
    keeps_slashes: bool = False


@dataclass(frozen=True)
class GrantPlan:
    """How grants are known: who signs them, the names of two cookies, and the keys (id → bytes) that may have signed one."""

    issuer: str
    cookie: str
    login_cookie: str
    keys: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class EnvoyPlan:
    """All that Envoy's configuration depends on.

    ``run`` holds the sockets (``cp.sock``, Envoy's admin socket). ``files`` names the only folders that files are sent
    from. ``pools`` are the networks in which jobs listen; Envoy dials nothing else. ``door_secret`` proves to the
    control plane that a request came through Envoy. ``stage_paths`` begin and end in ``/``. ``door_timeout_s`` must be
    longer than any worker may take to start, because the door waits for it. ``trusted_proxies`` are networks whose word
    on the client's address counts. ``requests_per_second`` is what one client may ask for on each port, 0 for as much as
    it likes. Raises `AddressInvalid`.
    """

    run: Path
    bind: str
    listeners: tuple[Listener, ...]
    door_secret: str = field(repr=False)
    access_log: Path
    grants: GrantPlan
    files: Mapping[str, Path] = field(default_factory=dict)
    stage_paths: tuple[str, ...] = ("/",)
    pools: tuple[str, ...] = ("127.64.0.0/10",)
    max_connections: int = 10_000
    door_timeout_s: float = 120.0
    trusted_proxies: tuple[str, ...] = ()
    requests_per_second: int = 0

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.bind)
        except ValueError:
            raise AddressInvalid(f"{AddressInvalid()} It is “{self.bind}” now.") from None

    @property
    def control_plane_socket(self) -> Path:
        return self.run / "cp.sock"
