"""What ``pilothouse serve`` prepares: the home, the schema, Envoy's plan; then the process becomes the supervisor."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilothouse import __version__
from pilothouse.app.origins import listeners
from pilothouse.app.owner import INSIDE, Owner, done_as, hand_over, let_read, owner_of, server_user, take_back
from pilothouse.app.runner import runner_plan
from pilothouse.app.server import bootstrap_secret, disk_id, installation_id
from pilothouse.audit.contract import HEAD_FILE
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.content import content_kinds
from pilothouse.db import Database
from pilothouse.db.schema import prepare as prepare_schema
from pilothouse.db.secrets import load_keys
from pilothouse.gateway import grants
from pilothouse.gateway.envoy import EnvoyPlan, GrantPlan
from pilothouse.gateway.envoy.binary import find
from pilothouse.gateway.serving import ControlPlane, Served, User, digest, door_secret, end_control_plane, prepare
from pilothouse.gateway.supervisor.plan import Program
from pilothouse.identity.contract import cookie_name as login_cookie
from pilothouse.launcher.runner_plan import MODULE, write
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


def prepare_home(loaded: Loaded, gateway_uid: int | None = None, owner: Owner | None = None) -> None:
    """Make the folders. ``keys`` and ``db`` are the server's alone, ``run`` and ``logs`` its own and the gateway's; jobs of
    other uids must be able to pass through the rest. With an ``owner``, what root writes to or runs from stays root's, and the
    group that the owner has with the gateway may pass through it.
    """
    group = owner.shared if owner else gateway_uid
    shared, home = 0o700 if group is None else 0o710, loaded.home
    if len(str(home / "run" / "gw" / "envoy-00000000.sock")) > SOCKET_LIMIT:
        raise HomeUnusable(f"The path of the home, {home}, is too long for unix sockets. Choose a shorter one.")
    try:
        for name, mode in (("", 0o751 if owner else 0o711), ("run", shared), ("logs", shared)):
            _make(home / name, mode)
            if group is not None:
                os.chown(home / name, -1, owner.gid if owner and not name else group)
        for name, mode in (("keys", 0o700), ("db", 0o700), ("blobs", 0o700), ("apps", 0o711), ("runtimes", 0o755)):
            _make(home / name, mode)
        if owner:
            _make(home / "jobs", 0o711)
            for name in ("libraries", "cache"):
                _make(home / name, 0o755)
            for name in (*INSIDE, "apps"):
                os.chown(home / name, owner.uid, owner.gid, follow_symlinks=False)
    except OSError as error:
        raise HomeUnusable(
            f"The home folder {home} can't be used: {error.strerror}. Choose another with --home."
        ) from error


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != mode:
        folder.chmod(mode)


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
    (gateway_uid, _), (owner, _) = gateway_user(loaded, binary.path), server_user(loaded)
    prepare_home(loaded, gateway_uid, owner)
    _refuse_if_running(loaded)
    if owner_of(loaded.home) != owner:
        end_control_plane(loaded.home / "run")
    if owner is None:
        take_back(loaded)
    runner = _handed_over(loaded, owner) if owner else None
    secrets = GatewaySecrets.from_json(done_as(owner, lambda: _inside(loaded)))
    program = [sys.executable, "-m", "pilothouse"]
    facts = json.dumps([__version__, loaded.settings.model_dump(mode="json"), _secret_facts(loaded)], default=str)
    served = Served(
        envoy=envoy_plan(loaded, secrets),
        binary=binary,
        uid=gateway_uid,
        control_plane=ControlPlane(
            [*program, "worker", *worker_arguments, "--fd", "{fd}"],
            facts=facts,
            env={"HOME": str(loaded.home / "cache")} if owner else {},
            user=User(owner.uid, owner.gid, owner.shared) if owner else None,
        ),
        logs=loaded.home / "logs",
        url=loaded.public_url,
        concurrency=loaded.settings.gateway.concurrency,
        stop_jobs=[*program, "stop-jobs", *worker_arguments] if stop_jobs else (),
        runner=runner,
        kept_logs=[str(loaded.home / HEAD_FILE)] if owner and loaded.settings.audit.head_file is None else (),
    )
    return prepare(served)


def _handed_over(loaded: Loaded, owner: Owner) -> Program:
    """The home is its owner's, and there is a plan for the runner, which is returned as a program to keep running."""
    disk_id(loaded.home)
    (loaded.home / "logs" / "disk.json").chmod(0o644)
    try:
        hand_over(loaded, owner)
    except OSError as error:
        raise HomeUnusable(
            f"The home {loaded.home} can't be handed over to user {owner.uid} ({error}). "
            "Put it on a disk where root may do so, or set server.user to root."
        ) from error
    if loaded.file is not None and loaded.file.parent == loaded.home:
        let_read(loaded.file, owner)
    plan, file = runner_plan(loaded, owner), loaded.home / "run" / "runner.json"
    write(plan, file)
    return Program(
        argv=(sys.executable, "-I", "-m", MODULE, str(file)),
        digest=digest(__version__, repr(plan)),
        ready_socket=str(plan.socket),
        ready_path="",
        inherits=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        grace_s=5.0,
        gid=owner.gid,
    )


def _inside(loaded: Loaded) -> dict[str, Any]:
    """What is read and made inside the home, as its owner: the schema, and the gateway's secrets."""
    for stage in (loaded.home / "apps").iterdir():
        if stage.is_dir() and not stage.is_symlink():
            stage.chmod(0o711)
    database = Database(loaded.db_url)
    try:
        prepare_schema(database)
    finally:
        database.close()
    return GatewaySecrets.read(loaded).as_json()


def _refuse_if_running(loaded: Loaded) -> None:
    """The supervisor would refuse too, but only after the schema was migrated under the running server."""
    with (loaded.home / "run" / "supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"A server with the home {loaded.home} is running. Stop it first, or choose another home."
            ) from None


@dataclass(frozen=True)
class GatewaySecrets:
    """What the gateway's configuration holds of the keys."""

    installation: str
    door: str = field(repr=False)
    grants: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, loaded: Loaded) -> GatewaySecrets:
        """From the home, where they are made at first use."""
        keys = loaded.home / "keys"
        return cls(installation_id(keys), door_secret(keys), load_keys(keys / "grants.json")().by_id)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> GatewaySecrets:
        return cls(said["installation"], said["door"], {k: base64.b64decode(v) for k, v in said["grants"].items()})

    def as_json(self) -> dict[str, Any]:
        """As JSON values, for a pipe."""
        grants = {kid: base64.b64encode(key).decode() for kid, key in self.grants.items()}
        return {"installation": self.installation, "door": self.door, "grants": grants}


def envoy_plan(loaded: Loaded, secrets: GatewaySecrets | None = None) -> EnvoyPlan:
    """Three ports, one for each origin; with names of their own, those too (SECURITY 1)."""
    server, gateway = loaded.settings.server, loaded.settings.gateway
    secrets = secrets or GatewaySecrets.read(loaded)
    return EnvoyPlan(
        run=loaded.home / "run",
        bind=server.host,
        listeners=listeners(loaded),
        door_secret=secrets.door,
        access_log=loaded.home / "logs" / "access.log",
        grants=grant_plan(loaded, secrets),
        files={"apps": (loaded.home / "apps").resolve()},
        stage_paths=stage_paths(loaded.settings.stages),
        door_timeout_s=loaded.settings.content.init_timeout.total_seconds() + DOOR_MARGIN_S,
        trusted_proxies=tuple(gateway.trusted_proxies),
        requests_per_second=gateway.requests_per_second,
    )


def grant_plan(loaded: Loaded, secrets: GatewaySecrets | None = None) -> GrantPlan:
    secrets = secrets or GatewaySecrets.read(loaded)
    https = loaded.public_url.startswith("https:")
    return GrantPlan(
        issuer=secrets.installation,
        cookie=grants.cookie_name(secrets.installation, https=https),
        login_cookie=login_cookie(secrets.installation, https=https),
        keys=secrets.grants,
    )


def _secret_facts(loaded: Loaded) -> list[str]:
    """Values that `model_dump` masks but whose change needs a restart; only their digest leaves this process."""
    return [loaded.db_url, str(os.environ.get("PILOTHOUSE_SERVER__BOOTSTRAP_SECRET"))]
