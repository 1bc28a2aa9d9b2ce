"""How this installation is reached, and watched."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from pilothouse.settings.options.types import Duration, Network, Section


class Server(Section):
    """Addresses and names of this installation."""

    public_url: str | None = None
    """How people reach the dashboard and the API, with scheme. Rules `CONNECT_SERVER` and every link. Default: `http://localhost:PORT`."""
    host: str = "127.0.0.1"
    """The address the gateway binds."""
    port: int = Field(3939, ge=1, le=65535)
    """Port of the dashboard and the API."""
    content_port: int | None = Field(None, ge=1, le=65535)
    """Port of published content, an origin of its own. Default: `port` + 1."""
    session_port: int | None = Field(None, ge=1, le=65535)
    """Port of interactive sessions. Default: `port` + 2."""
    content_host: str | None = None
    """A host name of its own for content, instead of a port of its own. Needs `public_url`, whose scheme and port all names share: they are
    served on `port`, like the dashboard."""
    apps_host: str | None = None
    """Host names for content, one for each item: `*.apps.example.com` makes each an origin of its own, `GUID.apps.example.com`. The only
    form that protects apps from each other. With `content_host` as well, that name only leads there."""
    session_host: str | None = None
    """A host name of its own for sessions. It is served on `session_port`, which a proxy must send it to."""
    hosts: list[str] = []
    """Further host names that requests may carry. Others get 421. `localhost`, loopback and the machine's name are known."""
    single_origin: bool = False
    """Serve content on the dashboard's origin. Weak: published code can then act as the person who opens it."""
    user: str = ""
    """Account of the server when root starts it; a small runner stays root. Default: uid `launcher.uid_base` - 2. `root`: nobody else."""
    bootstrap_secret: SecretStr | None = None
    """Secret (base64, at least 32 bytes) with which `rsconnect bootstrap` makes the first administrator. Also `bootstrap_secret_file`."""
    bootstrap_secret_file: Path | None = None
    """A file that holds `bootstrap_secret`."""


class Db(Section):
    """Where the truth is kept."""

    url: SecretStr | None = None
    """`postgresql://user:password@host/name`, or `sqlite:///FILE`. Default: SQLite in the home. Also `url_file`."""
    url_file: Path | None = None
    """A file that holds `url`."""
    pool_size: int = Field(10, ge=1, le=200)
    """Connections kept open by each server process."""


class Gateway(Section):
    """The native front door."""

    envoy_path: Path | None = None
    """Another Envoy binary. Its checksum must be known, or set `envoy_sha256`. Default: the one that is installed with us."""
    envoy_sha256: str | None = None
    """Checksum of the binary at `envoy_path`."""
    concurrency: int = Field(1, ge=1, le=256)
    """Worker threads of the gateway."""
    trusted_proxies: list[Network] = []
    """Addresses or networks of the proxies in front of this server. What they say in `X-Forwarded-For` and `X-Forwarded-Proto` counts:
    the client is the rightmost address that is none of theirs. From anybody else both are ignored."""
    requests_per_second: int = Field(500, ge=0, le=1_000_000)
    """Requests that one client address may make on each port, and five times as many at once after a pause; more get status 429. 0: no limit.
    All requests count, since made-up credentials must not buy more, and loopback counts too, since a proxy there carries strangers. The
    default is meant for an office of hundreds behind one address. A network of IPv6 (/64) is one client."""
    usage_kept: Duration = timedelta(days=90)
    """Raw usage rows are kept this long."""


class Integrations(Section):
    """Other services that content acts at."""

    service_networks: list[Network] = []
    """Networks of services that may be called although they are this machine's own or link-local, by plain http as well. Others are
    called over https only; private networks are allowed."""


class Logging(Section):
    """What the server writes to `logs/server.log`."""

    format: Literal["json", "console"] = "json"
    """One JSON object a line, for collectors; or lines for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious events that are written. `debug` also shows what the libraries have to say."""


class Metrics(Section):
    """Numbers for Prometheus, at `/metrics` on the dashboard's port."""

    readers: Literal["token", "loopback", "off"] = "token"
    """Who may read them: who sends the token as a bearer; everybody on this machine, which includes the code that people publish here and
    whoever comes through a proxy here that is not in `gateway.trusted_proxies`; nobody."""
    token: SecretStr | None = None
    """The token. Default: the one in `keys/metrics` of the home, made at the first start. Also `token_file`."""
    token_file: Path | None = None
    """A file that holds `token`."""
