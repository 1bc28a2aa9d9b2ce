"""Writes what the supervisor runs: Envoy's configuration, the door's secret and the plan. ``pilothouse serve`` then becomes it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pilothouse.base.ids import new_token
from pilothouse.gateway.envoy import EnvoyPlan, GrantPlan, config
from pilothouse.gateway.envoy.binary import Binary
from pilothouse.gateway.envoy.grants import key_set
from pilothouse.gateway.supervisor import plan
from pilothouse.gateway.supervisor.process import adopt

FLUSH_MS = "1000"
#: Configurations kept: the running one must stay readable even when a second `serve` on the same home is refused.
CONFIGURATIONS_KEPT = 5


@dataclass(frozen=True)
class User:
    """Whom a program runs as. ``shared`` is its second group: the gateway's, by which it passes through what both use."""

    uid: int
    gid: int
    shared: int


@dataclass(frozen=True)
class ControlPlane:
    """How the control plane is started. ``argv`` holds ``{fd}`` where its listening socket's number belongs.

    ``facts`` is anything that stands for its code and settings; when it changes, a running one is replaced. ``user`` is
    whom it runs as; only root can name one. ``None`` = as we do.
    """

    argv: Sequence[str]
    facts: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    ready_path: str = "/__ping__"
    grace_s: float = 20.0
    user: User | None = None


@dataclass(frozen=True)
class Served:
    """One installation's way to be served. ``stop_jobs`` is run at the end, if it is given; else jobs go on.

    ``uid`` is the user and group that Envoy runs as; only root can name one. ``None`` = our own. ``runner`` and ``kept_logs`` are
    for a control plane that is not root.
    """

    envoy: EnvoyPlan
    binary: Binary
    control_plane: ControlPlane
    logs: Path
    url: str = ""
    concurrency: int = 1
    stop_jobs: Sequence[str] = ()
    uid: int | None = None
    runner: plan.Program | None = None
    kept_logs: Sequence[str] = ()


def prepare(served: Served) -> Path:
    """Write all files below ``envoy.run`` and return the plan's. Safe to repeat while a supervisor runs (then send SIGHUP)."""
    run = served.envoy.run
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = run / "supervisor.json"
    made = plan.Plan(
        run=str(run),
        logs=str(served.logs),
        socket=str(served.envoy.control_plane_socket),
        control_plane=_control_plane(served),
        envoy=_envoy(served),
        ports=tuple((served.envoy.bind, listener.port) for listener in served.envoy.listeners),
        url=served.url,
        access_log=str(served.envoy.access_log),
        stop_jobs=tuple(served.stop_jobs),
        runner=served.runner,
        kept_logs=tuple(served.kept_logs),
    )
    plan.write(made, file)
    return file


def command(file: Path) -> list[str]:
    """What to execute to become the supervisor of a plan."""
    return [sys.executable, "-I", "-m", "pilothouse.gateway.supervisor", str(file)]


def running_since(run: Path) -> float | None:
    """When the oldest Envoy that still runs was started (seconds since 1970), as the supervisor wrote it down."""
    try:
        known = json.loads((run / "processes.json").read_bytes())
        return min(float(record["since"]) for record in (known["envoy"], *known["leaving"]) if record)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def runs_as(run: Path) -> int | None:
    """The user that Envoy runs as now; ``None`` when none is known to run."""
    try:
        return Path(f"/proc/{int(json.loads((run / 'processes.json').read_bytes())['envoy']['pid'])}").stat().st_uid
    except (OSError, ValueError, KeyError, TypeError):
        return None


def end_control_plane(run: Path, *, patience_s: float = 30.0) -> None:
    """End a control plane that a supervisor left behind, before what it writes to belongs to somebody else; jobs go on."""
    try:
        left = adopt(json.loads((run / "processes.json").read_bytes())["control_plane"] or {})
    except (OSError, ValueError, KeyError, TypeError):
        return
    if left is None:
        return
    deadline = time.monotonic() + patience_s
    left.signal(signal.SIGTERM)
    while left.is_alive():
        if time.monotonic() > deadline:
            left.signal(signal.SIGKILL)
        time.sleep(0.05)
    left.forget()


def door_secret(keys: Path) -> str:
    """The secret between Envoy and the control plane, made once and kept in ``keys/door`` (0600)."""
    return secret_file(keys / "door")


def secret_file(file: Path) -> str:
    """The secret in ``file`` (0600), made at first use."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        _write(file, new_token())
    return file.read_text().strip()


def change_grant_keys(run: Path, grants: GrantPlan) -> bool:
    """Let a running gateway take grants by other keys: a second Envoy starts beside the first, and no request fails.

    Whether a supervisor runs there; else there is nothing to do, because the next `prepare` reads the keys anyway.
    """
    file, supervisor = run / "supervisor.json", supervisor_of(run)
    if supervisor is None:
        return False
    made = plan.read(file)
    old = Path(made.envoy.argv[2])
    document = json.loads(old.read_bytes())
    _put_keys(document, key_set(grants))
    name = digest(made.envoy.digest, *grants.keys)
    admin, new = _names(run, name, made.envoy.uid)
    document["admin"]["address"]["pipe"]["path"] = str(admin)
    _write(new, json.dumps(document), made.envoy.uid)
    argv = [str(new) if word == str(old) else word for word in made.envoy.argv]
    envoy = replace(made.envoy, argv=tuple(argv), digest=name, ready_socket=str(admin))
    plan.write(replace(made, envoy=envoy), file)
    _forget_old(run)
    os.kill(supervisor, signal.SIGHUP)
    return True


def supervisor_of(run: Path) -> int | None:
    """The process that looks after this folder, if one does: it holds the lock."""
    try:
        with (run / "supervisor.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(json.loads((run / "processes.json").read_bytes())["supervisor"])
    except FileNotFoundError:
        pass
    return None


def _put_keys(part: Any, keys: str) -> None:
    """Every filter of the configuration that knows grants."""
    if isinstance(part, dict) and "local_jwks" in part:
        part["local_jwks"] = {"inline_string": keys}
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _put_keys(inner, keys)


def _control_plane(served: Served) -> plan.Program:
    control_plane = served.control_plane
    env, user = json.dumps(dict(control_plane.env), sort_keys=True), control_plane.user
    return plan.Program(
        argv=tuple(control_plane.argv),
        digest=digest(*control_plane.argv, control_plane.facts, env, str(user)),
        ready_socket=str(served.envoy.control_plane_socket),
        ready_path=control_plane.ready_path,
        env=control_plane.env,
        grace_s=control_plane.grace_s,
        uid=user.uid if user else None,
        gid=user.gid if user else None,
        groups=(user.shared,) if user else (),
    )


def _envoy(served: Served) -> plan.Program:
    """Files carry the digest in their names: the old and the new Envoy run side by side for a while."""
    run = served.envoy.run
    name = digest(served.binary.sha256, str(served.concurrency), json.dumps(config(served.envoy)), str(served.uid))
    _share(run, served.uid)
    admin, file = _names(run, name, served.uid)
    _write(file, json.dumps(config(served.envoy, admin=admin)), served.uid)
    _forget_old(run)
    # Hot restart would bind Envoy's life to its parent's (PR_SET_PDEATHSIG), and it must outlive the supervisor.
    argv = [str(served.binary.path), "-c", str(file), "--disable-hot-restart", "--file-flush-interval-msec", FLUSH_MS]
    argv += ["--concurrency", str(served.concurrency), "--log-level", "warning"]
    argv += ["--component-log-level", "misc:error"]  # that file_server is "work in progress" is decision 7, not news
    return plan.Program(
        argv=tuple(argv),
        digest=name,
        ready_socket=str(admin),
        ready_path="/ready",
        inherits=False,
        umask=0o077,
        grace_s=10.0,
        uid=served.uid,
    )


def _names(run: Path, name: str, uid: int | None) -> tuple[Path, Path]:
    """Envoy's admin socket and configuration."""
    return (run if uid is None else run / "gw") / f"envoy-{name[:8]}.sock", run / f"envoy-{name[:8]}.json"


def _share(run: Path, uid: int | None) -> None:
    """Let an Envoy with a user of its own pass through ``run``, and write to one folder in it only."""
    if uid is None:
        return
    if run.stat().st_gid != uid:
        os.chown(run, -1, uid)
        run.chmod(0o710)
    place = run / "gw"
    place.mkdir(mode=0o700, exist_ok=True)
    os.chown(place, uid, uid, follow_symlinks=False)


def _forget_old(run: Path) -> None:
    files = sorted(run.glob("envoy-*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[CONFIGURATIONS_KEPT:]:
        old.unlink()


def digest(*parts: str) -> str:
    """What stands for everything that a program's behaviour depends on."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _write(file: Path, text: str, group: int | None = None) -> None:
    """In one step; for our own user only, and ``group`` to read."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        if group is not None:
            os.fchown(stream.fileno(), -1, group)
            os.fchmod(stream.fileno(), 0o640)
        stream.write(text)
    draft.replace(file)
