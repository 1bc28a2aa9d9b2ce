"""What runs here, and what it may take."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field

from pilothouse.settings.options.types import MB, Duration, Section


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
    requests_per_minute_per_key: int = Field(0, ge=0, le=10_000_000)
    """Requests that one API key may make to content in a minute, after a pause all at once; more get status 429. 0: no limit."""
    requests_per_minute: int = Field(0, ge=0, le=10_000_000)
    """The same for all API keys together that ask one content, where it names no lower number itself. 0: no limit but its own."""
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
    """Bundles kept for each content; older inactive ones are removed. All versions of a pin stay until somebody deletes them."""


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
