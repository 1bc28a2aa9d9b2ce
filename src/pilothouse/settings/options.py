"""Every option, typed and documented where it is declared; sections are rooms."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr, model_validator

from pilothouse.settings.branding import Web

MB = 1024 * 1024


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: object) -> object:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", value.strip())):
        return timedelta(**{_UNITS[found[2] or "s"]: float(found[1])})
    return value


#: Seconds, or text such as ``90s``, ``15m``, ``12h``, ``30d``; never negative.
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    Field(ge=timedelta(0)),
    PlainSerializer(lambda value: value.total_seconds()),
]


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
        address = ipaddress.ip_address(value.strip().partition("/")[0])
    except ValueError:
        raise ValueError("it must be an address or a network, such as 10.1.2.3 or 10.1.0.0/16") from None
    if "%" in value:
        raise ValueError("it must be an address or a network, without the name of an interface")
    if network.prefixlen == 0:
        raise ValueError("this network holds every address there is; name the proxies only")
    if "/" in value and network.network_address != address:
        raise ValueError("the address has bits behind its mask; write the network's first address, such as 10.1.0.0/16")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise ValueError("an IPv4 address must be written as such, not inside an IPv6 address")
    return str(network)


#: An IP network in its usual form; a single address is a network of one.
Network = Annotated[str, BeforeValidator(_network)]


def _collector(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        is_local = parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc
        is_remote = parts.scheme in ("udp", "tcp") and bool(parts.hostname) and parts.port != 0 and not parts.path
    except ValueError:
        is_local = is_remote = False
    if not (is_local or is_remote) or not value.isprintable() or "@" in value or parts.query or parts.fragment:
        raise ValueError("it must be an address such as unix:/dev/log, udp://10.1.2.3:514 or tcp://logs.example:601")
    return value


#: Where a log collector listens.
Collector = Annotated[str, BeforeValidator(_collector)]


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
    """A host name of its own for content, instead of the content port."""
    session_host: str | None = None
    """A host name of its own for sessions, instead of the session port."""
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


class Identity(Section):
    """Sign-in, logins and keys."""

    login_lifetime: Duration = timedelta(hours=12)
    """A browser login ends after this long."""
    password_min_length: int = Field(10, ge=8, le=200)
    """Shortest password accepted for a local user."""
    failures_allowed: int = Field(10, ge=1)
    """Failed sign-ins with one name from one address before further ones wait, longer each time; ten times as many from one address, or
    with one name from anywhere. Nobody waits because of what others do elsewhere, if they signed in from their own address before."""
    failures_window: Duration = timedelta(minutes=15)
    """How long failed sign-ins are counted. The longest wait lets as many through in this time as were free before."""
    hash_concurrency: int = Field(2, ge=1, le=64)
    """Passwords checked at the same time; each takes 64 MB for a moment."""
    key_lifetime: Duration | None = None
    """API keys expire after this long. Default: never."""


class Audit(Section):
    """The audit trail."""

    sinks: list[str] = Field(["file"], min_length=1)
    """Where the chain is also kept, outside the database: `file`, `syslog`, or both. An edited or cut trail shows by what is kept there."""
    head_file: Path | None = None
    """File of the signed heads of the chain. Put it on another machine's disk, or copy it away. Default: `logs/audit-head.log`."""
    event_file: Path | None = None
    """File that also gets every event, as a line of JSON, for a log collector. Default: none."""
    syslog: Collector = "unix:/dev/log"
    """The collector of the sink `syslog`: `unix:/dev/log`, `udp://host:514` or `tcp://host:601` (RFC 5424)."""
    syslog_events: bool = True
    """Send every event to `syslog`, as JSON, and not the signed heads alone."""


class Tasks(Section):
    """The durable queue."""

    builds: int = Field(2, ge=1, le=100)
    """Deploys and builds that run at the same time on one server process."""
    starts: int = Field(4, ge=1, le=100)
    """Workers started at the same time on one server process."""
    retention: Duration = timedelta(days=30)
    """Finished tasks and their output are kept this long."""


class Launcher(Section):
    """Where jobs run."""

    backend: str = "local"
    """Which launcher runs jobs."""
    sandbox: Literal["required", "preferred", "off"] = "preferred"
    """Isolation by bubblewrap. `required` refuses to start without it."""
    packet_filter: Literal["required", "preferred", "off"] = "preferred"
    """Let only the gateway connect to jobs of this machine, by nftables rules. Needs root. `required` refuses to start without them."""
    uid_base: int = Field(200_000, ge=1000)
    """When the server is root, content N runs as uid `uid_base` + N, the gateway as `uid_base` - 1, the rest as `uid_base` - 2; without accounts."""
    readable_paths: list[Path] = []
    """Further folders of the host that every job may read, for example a driver's directory."""
    log_size: int = Field(10 * MB, ge=64 * 1024)
    """A job's log file is rotated at this many bytes."""
    log_files: int = Field(4, ge=1, le=100)
    """Rotated log files kept for each job."""
    keep_ended: Duration = timedelta(days=7)
    """Logs of ended jobs are kept this long."""

    @property
    def gateway_uid(self) -> int:
        """The user of the gateway, when root starts the server."""
        return self.uid_base - 1

    @property
    def server_uid(self) -> int:
        """The user of everything else but the runner, where the settings name no account."""
        return self.uid_base - 2


class Content(Section):
    """Published content."""

    bundle_size_limit: int = Field(1024 * MB, ge=1 * MB)
    """Largest archive accepted, in bytes."""
    unpacked_size_limit: int = Field(4096 * MB, ge=1 * MB)
    """Largest total of the files in an archive, in bytes."""
    unpacked_files_limit: int = Field(20_000, ge=1)
    """Most files in an archive."""
    max_processes: int = Field(3, ge=1, le=1000)
    """Workers that content may have at once, where it names no number itself. Its load group may allow fewer."""
    max_conns_per_process: int = Field(20, ge=1, le=100_000)
    """Connections that one worker may have, where content names no number itself."""
    load_factor: float = Field(0.5, ge=0, le=1)
    """Another worker is started when each has more than this share of the connections it may have. 0: with the first connection."""
    init_timeout: Duration = timedelta(seconds=60)
    """A worker that does not listen after this long has failed to start. 0: an hour."""
    idle_timeout: Duration = timedelta(minutes=2)
    """A worker without connections is frozen (or stopped, see `idle`) after this long, and never before 5 seconds."""
    connection_timeout: Duration = timedelta(hours=1)
    """A connection without traffic is closed after this long. The longer of this and `read_timeout` counts, rounded up to 1 minute,
    5 minutes, 1 hour or no limit. 0: no limit."""
    read_timeout: Duration = timedelta(hours=1)
    """The same for connections on which nothing comes from the client."""
    idle: Literal["freeze", "stop", "keep"] = "freeze"
    """What happens to an idle worker."""
    frozen_limit: int = Field(50, ge=0)
    """Most frozen workers kept on one server; the longest frozen is stopped first."""
    memory_reserve: int | None = Field(None, ge=0)
    """Memory in bytes that shall stay available on the machine. Below it frozen workers are moved to swap, the longest frozen first,
    and then stopped, and no worker is added to others. Default: a tenth of the machine's memory."""
    drain_timeout: Duration = timedelta(minutes=5)
    """An old worker with open connections is stopped after this long."""
    samples_kept: Duration = timedelta(days=30)
    """What workers used, once a minute, is kept this long."""
    bundles_kept: int = Field(20, ge=2)
    """Bundles kept for each content; older inactive ones are removed."""


class Runtimes(Section):
    """Languages and packages."""

    python: list[Path] = []
    """Python interpreters to offer. Default: those found on the machine."""
    python_matching: Literal["exact", "nearest", "any"] = "nearest"
    """How the version a bundle asks for is matched with the installed ones. `exact`: only that one; `nearest`: the nearest patch of
    the same 3.Y; `any`: the nearest of all. A stage may say otherwise."""
    python_mirror: str = ""
    """Where `pilothouse runtime add` downloads Pythons: the address of a copy of the releases of python-build-standalone. Credentials in
    it are never shown. Default: the internet."""
    python_downloads: str = ""
    """Address of a list of Pythons in uv's format (JSON with `url` and `sha256`), instead of the list that uv brings along."""
    python_index: str = ""
    """The package index for Python, as an address of the simple API. Credentials in it are never shown. Default: the Python Package Index."""
    node: list[Path] = []
    """Node.js interpreters to offer. Default: those found on the machine."""
    npm_registry: str = ""
    """The package registry for Node.js. Credentials in it (user and password, or a token as the user) are never shown. Default: npm's own."""
    allow_index_options: bool = False
    """Let bundles name other indexes and direct addresses in their requirements."""
    builds: bool = True
    """Build packages that have no wheel from their source, in a sandbox. Without bubblewrap they are refused in any case."""
    build_timeout: Duration = timedelta(minutes=30)
    """Restoring packages, or building one, fails after this long."""
    build_size_limit: int = Field(4096 * MB, ge=16 * MB)
    """Most disk that one build may take, in bytes."""
    libraries_kept: Duration = timedelta(days=7)
    """A library that no bundle needs is removed this long after it was last needed or restored, never within an hour."""
    cache_limit: int = Field(20 * 1024 * MB, ge=0)
    """Downloads and installers' caches may take this many bytes; what was not used for longest goes first. What libraries share is not counted."""


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


class ConnectApi(Section):
    """The publishing protocol."""

    version: str = "2026.06.0"
    """The version that clients see; they switch features on by it."""


class LoadGroup(Section):
    """A named set of limits for jobs and content."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    """Name of the group."""
    cpu: float = Field(1.0, gt=0)
    """Cores one job may use."""
    memory: int = Field(1024 * MB, ge=16 * MB)
    """Memory one job may use, in bytes."""
    processes: int = Field(256, ge=8)
    """Processes and threads one job may have."""
    workers: int = Field(10, ge=1, le=1000)
    """Workers that one content may have at once."""
    given_by: Literal["publishers", "administrators"] = "publishers"
    """Who may choose it for content. What a stage gives by default needs nobody's choice."""


class StageOption(Section):
    """One stage: a place content moves through, in the order of the file."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    """Short name; part of the URL."""
    title: str = ""
    """Name shown to people. Default: the key."""
    path: str | None = None
    """URL prefix, `/` or `/KEY/`. Default: `/` for the first stage, `/KEY/` for the others."""
    host: str | None = None
    """A host name of its own."""
    load_group: str | None = None
    """The load group of content that names none. Default: `medium`, or the first one."""
    kind_load_groups: dict[str, str] = {}
    """The same for kinds of content, such as `{ python-shiny = "high" }`; stronger than `load_group`."""
    python_matching: Literal["exact", "nearest", "any"] | None = None
    """How versions of Python are matched in this stage. Default: `runtimes.python_matching`."""
    usage: Literal["named", "pseudonymous", "counts"] = "named"
    """What statistics of use keep of a signed-in visitor: who it was, a pseudonym that changes each month, or nothing."""


class Settings(Section):
    """All options of one installation."""

    server: Server = Server()
    db: Db = Db()
    identity: Identity = Identity()
    audit: Audit = Audit()
    tasks: Tasks = Tasks()
    launcher: Launcher = Launcher()
    content: Content = Content()
    runtimes: Runtimes = Runtimes()
    gateway: Gateway = Gateway()
    logging: Logging = Logging()
    metrics: Metrics = Metrics()
    connect_api: ConnectApi = ConnectApi()
    web: Web = Web()
    stages: list[StageOption] = [
        StageOption(key="dev", title="Development"),
        StageOption(key="prod", title="Production"),
    ]
    load_groups: list[LoadGroup] = [
        LoadGroup(key="low", cpu=0.5, memory=512 * MB, processes=128, workers=2),
        LoadGroup(key="medium", cpu=1.0, memory=2048 * MB, processes=256, workers=5),
        LoadGroup(key="high", cpu=4.0, memory=8192 * MB, processes=1024, workers=10),
    ]

    @model_validator(mode="after")
    def _stages_have_names_of_their_own(self) -> Settings:
        for what, keys in (
            ("stages", [s.key for s in self.stages]),
            ("load_groups", [g.key for g in self.load_groups]),
        ):
            if not keys or len(set(keys)) != len(keys):
                raise ValueError(f"{what} must have at least one entry and no key twice")
        return self

    @model_validator(mode="after")
    def _stages_name_load_groups_that_exist(self) -> Settings:
        known = [group.key for group in self.load_groups]
        for stage in self.stages:
            for named in (stage.load_group, *stage.kind_load_groups.values()):
                if named is not None and named not in known:
                    raise ValueError(
                        f"the stage {stage.key} names the load group {named}; there are {', '.join(known)}"
                    )
        return self
