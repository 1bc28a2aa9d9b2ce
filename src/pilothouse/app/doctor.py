"""What works here, what is weak, what is broken; each with the remedy. For ``pilothouse doctor``."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pilothouse.app.house import channel_of, made, runtimes_of, sinks_of
from pilothouse.app.owner import acting_for, server_user
from pilothouse.app.server import bootstrap_secret
from pilothouse.app.serving import gateway_user
from pilothouse.audit.service import behind
from pilothouse.base.errors import PilothouseError
from pilothouse.content import content_kinds
from pilothouse.db import Database
from pilothouse.db.schema import check
from pilothouse.gateway.envoy.binary import find
from pilothouse.launcher import launchers
from pilothouse.notify.contract import ChannelDown
from pilothouse.runtimes.matching import NEWEST, TITLES
from pilothouse.settings import Loaded, weak_points
from pilothouse.tasks import Handler, Run

LOW_DISK = 2 * 1024**3
#: What happens in a second or two is not late.
LATE_EVENTS = 100
#: How a language comes to the server.
TO_ADD = {
    "python": f"Run: pilothouse runtime add python {NEWEST}",
    "nodejs": "Install it together with npm (Debian, Ubuntu: apt install nodejs npm), or name another in runtimes.node.",
}


@dataclass(frozen=True)
class Finding:
    """``good``: nothing to do. ``weak``: it works, less safely or less well. ``broken``: the server can't run so."""

    state: Literal["good", "weak", "broken"]
    what: str
    finding: str


def examine(loaded: Loaded) -> list[Finding]:
    """All findings, in the order an administrator would look."""
    parts = (_machine, _home, _database, _gateway, _runtimes, _jobs, _audit, _mail, _settings)
    return [finding for part in parts for finding in _guarded(part, loaded)]


def check_task(loaded: Loaded) -> Handler:
    """The handler of ``system.check``: the same looks, from the running server."""

    def check_all(run: Run) -> dict[str, Any]:
        return run.step("examine", lambda: {"findings": [asdict(finding) for finding in examine(loaded)]})

    return check_all


def _guarded(part: Callable[[Loaded], Iterator[Finding]], loaded: Loaded) -> list[Finding]:
    try:
        with acting_for(loaded.home) if part in (_database, _runtimes, _audit) else nullcontext():
            return list(part(loaded))
    except (PilothouseError, OSError) as error:
        return [Finding("broken", part.__name__.strip("_"), str(error))]


def _machine(loaded: Loaded) -> Iterator[Finding]:
    fits = platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64")
    yield Finding(
        "good" if fits else "broken", "machine", f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    )


def _home(loaded: Loaded) -> Iterator[Finding]:
    if not loaded.home.exists():
        yield Finding("weak", "home", f"{loaded.home} does not exist yet; `pilothouse serve` makes it.")
        return
    free = shutil.disk_usage(loaded.home).free
    yield Finding("good" if free > LOW_DISK else "weak", "home", f"{loaded.home}, {free / 1024**3:.0f} GB free")


def _database(loaded: Loaded) -> Iterator[Finding]:
    database = Database(loaded.db_url)
    name = "SQLite" if database.is_sqlite else "PostgreSQL"
    if database.is_sqlite and not (loaded.home / "db" / "pilothouse.sqlite").exists():
        yield Finding("good", "database", f"{name}; it is made at the first start.")
        return
    check(database)
    yield Finding("good", "database", f"{name}, schema up to date")
    if database.is_sqlite:
        yield Finding("good", "database", "One server only; several servers need PostgreSQL.")


def _gateway(loaded: Loaded) -> Iterator[Finding]:
    options = loaded.settings.gateway
    binary = find(options.envoy_path, sha256=options.envoy_sha256)
    yield Finding("good", "gateway", f"Envoy, checksum {binary.sha256[:12]}… is known")
    uid, why = gateway_user(loaded, binary.path)
    if why:
        yield Finding("weak", "gateway", f"The gateway runs as root: {why}")
    elif uid is not None:
        yield Finding("good", "gateway", f"It runs as a user of its own, {uid}.")
    owner, why = server_user(loaded)
    if why:
        yield Finding("weak", "server", f"The control plane runs as root: {why}")
    elif owner is not None:
        yield Finding("good", "server", f"It runs as user {owner.uid}; only the runner, which starts jobs, is root.")


def _runtimes(loaded: Loaded) -> Iterator[Finding]:
    """A line for each language that some kind of content is written in. Without Python there is next to nothing to publish."""
    found = runtimes_of(loaded)()
    spoken = {content_kinds.load(name).language for name in content_kinds.names()}
    for language, title in TITLES.items():
        mine = [runtime for runtime in found if runtime.kind == language]
        if mine:
            yield Finding("good", "runtimes", f"{title} {', '.join(r.version for r in mine)}")
        elif language in spoken:
            state: Literal["weak", "broken"] = "broken" if language == "python" else "weak"
            yield Finding(state, "runtimes", f"No {title} that content can use. {TO_ADD[language]}")
    for node in (r for r in found if r.kind == "nodejs" and not r.path.with_name("npm").exists()):
        words = f"Node.js {node.version} has no npm beside {node.path}: packages can't be installed with it. {TO_ADD['nodejs']}"
        yield Finding("weak", "runtimes", words)


def _jobs(loaded: Loaded) -> Iterator[Finding]:
    options = loaded.settings.launcher
    able = made(launchers, options.backend).from_settings(loaded.home, options).capabilities()
    for sentence in able.facts:
        yield Finding("good", "jobs", sentence)
    for sentence in able.weak:
        yield Finding("weak", "jobs", sentence)


def _audit(loaded: Loaded) -> Iterator[Finding]:
    options = loaded.settings.audit
    if options.sinks == ["file"] and options.head_file is None:
        yield Finding(
            "weak",
            "audit",
            "The heads of the audit trail are kept on this machine alone. Set audit.head_file or audit.sinks.",
        )
    database = Database(loaded.db_url)
    try:
        check(database)
    except PilothouseError:
        return  # said above
    with database.read() as tx:
        lacks = behind(tx, sinks_of(loaded))
    for sink, count in lacks.items():
        if count > LATE_EVENTS:
            yield Finding(
                "weak",
                "audit",
                f"{sink} lacks the newest {count} events of the audit trail; the server's log says why.",
            )
        else:
            yield Finding("good", "audit", f"{sink} has the audit trail.")


def _mail(loaded: Loaded) -> Iterator[Finding]:
    channel = channel_of(loaded)
    if channel is None:
        yield Finding("good", "mail", "None is sent. Set notify.channel if people should hear of requests and answers.")
        return
    try:
        channel.check()
    except ChannelDown as error:
        yield Finding("weak", "mail", str(error))
    else:
        yield Finding("good", "mail", "The mail server lets us in.")


def _settings(loaded: Loaded) -> Iterator[Finding]:
    bootstrap_secret(loaded)
    for sentence in weak_points(loaded):
        yield Finding("weak", "settings", sentence)
    yield Finding("good", "settings", f"valid; read from {loaded.file or 'defaults'}")
