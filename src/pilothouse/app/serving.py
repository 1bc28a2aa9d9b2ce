"""What ``pilothouse serve`` prepares: the home, the schema, Envoy's plan; then the process becomes the supervisor."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from pilothouse import __version__
from pilothouse.app.server import bootstrap_secret, host_names, installation_id
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.content import content_kinds
from pilothouse.db import Database
from pilothouse.db.schema import prepare as prepare_schema
from pilothouse.db.secrets import load_keys
from pilothouse.gateway import grants
from pilothouse.gateway.envoy import EnvoyPlan, GrantPlan, Listener, Origin, Site, dashboard
from pilothouse.gateway.envoy.binary import find
from pilothouse.gateway.serving import ControlPlane, Served, door_secret, prepare
from pilothouse.identity.contract import cookie_name as login_cookie
from pilothouse.settings import Loaded, Settings, SettingsInvalid
from pilothouse.stages.service import stage_paths

SOCKET_LIMIT = 107
#: The door waits for a worker as long as it may take to start, and a little for its queue.
DOOR_MARGIN_S = 60.0


class HomeUnusable(Invalid):
    """The home folder can't be used."""

    code = "app/home-unusable"


class AlreadyRunning(Conflict):
    """A server with this home is running. Stop it first, or choose another home."""

    code = "app/already-running"


def gateway_user(loaded: Loaded, binary: Path) -> tuple[int | None, str]:
    """The uid that Envoy gets of its own; ``None`` if it runs as we do, and why, where that is root (SECURITY 13)."""
    if os.geteuid() != 0:
        return None, ""
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if (lowest := min(loaded.port, loaded.content_port, loaded.session_port)) < first:
        return None, f"port {lowest} is root's. Use ports from {first} on, behind a proxy or with the kernel's setting."
    for path in (binary, *binary.resolve().parents, *loaded.home.parents):
        if path.exists() and not path.stat().st_mode & 0o001:
            return None, f"{path} is closed to other users. Open it (chmod o+x), or install to /opt."
    return loaded.settings.launcher.gateway_uid, ""


def prepare_home(loaded: Loaded, gateway_uid: int | None = None) -> None:
    """Make the folders. ``keys`` and ``db`` are the server's alone, ``run`` and ``logs`` its own and the gateway's; jobs of
    other uids must be able to pass through the rest.
    """
    shared = 0o700 if gateway_uid is None else 0o710
    home = loaded.home
    if len(str(home / "run" / "gw" / "envoy-00000000.sock")) > SOCKET_LIMIT:
        raise HomeUnusable(f"The path of the home, {home}, is too long for unix sockets. Choose a shorter one.")
    try:
        for name, mode in (
            ("", 0o711),
            ("keys", 0o700),
            ("db", 0o700),
            ("run", shared),
            ("logs", shared),
            ("blobs", 0o700),
            ("apps", 0o711),
            ("runtimes", 0o755),
        ):
            folder = home / name
            folder.mkdir(parents=True, exist_ok=True)
            if stat.S_IMODE(folder.stat().st_mode) != mode:
                folder.chmod(mode)
            if mode == 0o710:
                os.chown(folder, -1, gateway_uid or -1)
        for stage in (home / "apps").iterdir():
            stage.chmod(0o711)
    except OSError as error:
        raise HomeUnusable(
            f"The home folder {home} can't be used: {error.strerror}. Choose another with --home."
        ) from error


def check_kinds(settings: Settings) -> None:
    """Raise `SettingsInvalid` for a kind of content that there is not."""
    known = content_kinds.names()
    for stage in settings.stages:
        if unknown := sorted(set(stage.kind_load_groups) - set(known)):
            raise SettingsInvalid(
                f"Option kind_load_groups of the stage {stage.key} names {', '.join(unknown)}. "
                f"Kinds of content are {', '.join(known)}."
            )


def prepare_serving(loaded: Loaded, *, worker_arguments: Sequence[str], stop_jobs: bool) -> Path:
    """Check settings, bring the schema up to date, write the supervisor's plan; returns its file.

    Raises what the parts raise: settings, schema, Envoy's binary.
    """
    bootstrap_secret(loaded)
    check_kinds(loaded.settings)
    binary = find(loaded.settings.gateway.envoy_path, sha256=loaded.settings.gateway.envoy_sha256)
    gateway_uid, _ = gateway_user(loaded, binary.path)
    prepare_home(loaded, gateway_uid)
    _refuse_if_running(loaded)
    database = Database(loaded.db_url)
    try:
        prepare_schema(database)
    finally:
        database.close()
    program = [sys.executable, "-m", "pilothouse"]
    facts = json.dumps([__version__, loaded.settings.model_dump(mode="json"), _secret_facts(loaded)], default=str)
    served = Served(
        envoy=envoy_plan(loaded),
        binary=binary,
        uid=gateway_uid,
        control_plane=ControlPlane([*program, "worker", *worker_arguments, "--fd", "{fd}"], facts=facts),
        logs=loaded.home / "logs",
        url=loaded.public_url,
        concurrency=loaded.settings.gateway.concurrency,
        stop_jobs=[*program, "stop-jobs", *worker_arguments] if stop_jobs else (),
    )
    return prepare(served)


def _refuse_if_running(loaded: Loaded) -> None:
    """The supervisor would refuse too, but only after the schema was migrated under the running server."""
    with (loaded.home / "run" / "supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"A server with the home {loaded.home} is running. Stop it first, or choose another home."
            ) from None


def envoy_plan(loaded: Loaded) -> EnvoyPlan:
    """Three ports, one for each origin; with names of their own, those too (SECURITY 1)."""
    server, gateway, hosts = loaded.settings.server, loaded.settings.gateway, host_names(loaded)
    sessions = (server.session_host,) if server.session_host else hosts
    contents = (server.content_host,) if server.content_host else hosts
    return EnvoyPlan(
        run=loaded.home / "run",
        bind=server.host,
        listeners=(
            Listener(loaded.port, (dashboard(hosts, sandboxed=not server.single_origin),)),
            Listener(loaded.content_port, (Site(Origin.CONTENT, contents),)),
            Listener(loaded.session_port, (Site(Origin.SESSION, sessions),), keeps_slashes=True),
        ),
        door_secret=door_secret(loaded.home / "keys"),
        access_log=loaded.home / "logs" / "access.log",
        grants=grant_plan(loaded),
        files={"apps": (loaded.home / "apps").resolve()},
        stage_paths=stage_paths(loaded.settings.stages),
        door_timeout_s=loaded.settings.content.init_timeout.total_seconds() + DOOR_MARGIN_S,
        trusted_proxies=tuple(gateway.trusted_proxies),
        requests_per_second=gateway.requests_per_second,
    )


def grant_plan(loaded: Loaded) -> GrantPlan:
    keys, https = loaded.home / "keys", loaded.public_url.startswith("https:")
    installation = installation_id(keys)
    return GrantPlan(
        issuer=installation,
        cookie=grants.cookie_name(installation, https=https),
        login_cookie=login_cookie(installation, https=https),
        keys=load_keys(keys / "grants.json")().by_id,
    )


def _secret_facts(loaded: Loaded) -> list[str]:
    """Values that `model_dump` masks but whose change needs a restart; only their digest leaves this process."""
    return [loaded.db_url, str(os.environ.get("PILOTHOUSE_SERVER__BOOTSTRAP_SECRET"))]
