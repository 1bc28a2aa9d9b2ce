"""All engines of one installation, made from its settings and home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.app.origins import origins_of
from pilothouse.app.owner import has_users, is_ours
from pilothouse.app.server import disk_id, installation_id
from pilothouse.asgi.origins import Origins
from pilothouse.audit import audit_sinks
from pilothouse.audit.contract import AuditSink
from pilothouse.audit.service import Sealer
from pilothouse.base.seam import Seam
from pilothouse.content.service.credentials import Exchanger
from pilothouse.content.service.terms import WorkerRules
from pilothouse.content.tasks import ContentEngines, Language
from pilothouse.db import Database, Watch
from pilothouse.db.secrets import Secrets, load_key, load_secrets
from pilothouse.identity.contract import Rules
from pilothouse.identity.service import Resolver, cookie_name
from pilothouse.identity.service.exchange import Exchange
from pilothouse.identity.service.passwords import set_concurrency
from pilothouse.integrations.service import Tools
from pilothouse.launcher import launchers
from pilothouse.launcher.contract import Launcher
from pilothouse.notify import message_channels
from pilothouse.notify.contract import Channel
from pilothouse.outbound import Outbound
from pilothouse.runtimes import library_restorers
from pilothouse.runtimes.contract import Runtime
from pilothouse.runtimes.discover import discover
from pilothouse.runtimes.discover_node import discover_node
from pilothouse.runtimes.managed import ManagedPythons
from pilothouse.runtimes.matching import Policy
from pilothouse.settings import Loaded
from pilothouse.stages import Stages
from pilothouse.storage import blob_stores
from pilothouse.storage.contract import BlobStore
from pilothouse.storage.custody import OWN, Custodian
from pilothouse.storage.unpack import UnpackLimits


@dataclass(frozen=True)
class House:
    """Everything that is handed to the rooms. ``engines`` drive content; the other fields belong to all."""

    loaded: Loaded
    installation: str
    database: Database
    watch: Watch
    xsrf_key: bytes
    audit_key: bytes
    sealer: Sealer
    resolver: Resolver
    rules: Rules
    exchange: Exchange
    origins: Origins
    engines: ContentEngines
    outbound: Outbound
    channel: Channel | None = None

    @property
    def exchanger(self) -> Exchanger:
        return Exchanger(self.oauth_tools, self.engines.app_tokens, self.engines.jobs_key)

    @property
    def oauth_tools(self) -> Tools:
        return Tools(self.database, self.secrets, self.outbound)

    @property
    def secrets(self) -> Secrets:
        return self.engines.secrets

    @property
    def stages(self) -> Stages:
        return self.engines.stages

    @property
    def blobs(self) -> BlobStore:
        return self.engines.blobs

    @property
    def launcher(self) -> Launcher:
        return self.engines.launcher

    @property
    def runtimes(self) -> Callable[[], list[Runtime]]:
        return self.engines.runtimes

    def has_library(self, language: str, key: str) -> bool:
        """Whether the packages of this name are on disk."""
        found = self.engines.languages.get(language)
        return found is not None and found.restorer.find(key) is not None

    @property
    def is_https(self) -> bool:
        return self.loaded.public_url.startswith("https:")

    @property
    def access_log(self) -> Path:
        return self.loaded.home / "logs" / "access.log"

    def public_url(self, stage_id: int) -> str:
        """The stage's base URL, without trailing slash."""
        return self.engines.public_url(stage_id)


def build(loaded: Loaded) -> House:
    """Make the engines. Opens the database (whose schema must fit) but starts nothing."""
    home, settings = loaded.home, loaded.settings
    database = Database(loaded.db_url, pool_size=settings.db.pool_size)
    watch, keys = Watch(database), home / "keys"
    installation = installation_id(keys)
    cookie = cookie_name(installation, https=loaded.public_url.startswith("https:"))
    audit_key = load_key(keys / "audit.json")
    set_concurrency(settings.identity.hash_concurrency)
    return House(
        loaded=loaded,
        installation=installation,
        database=database,
        watch=watch,
        xsrf_key=load_key(keys / "xsrf.json"),
        audit_key=audit_key,
        sealer=Sealer(database, audit_key, sinks_of(loaded)),
        resolver=Resolver(database, watch, cookie=cookie),
        rules=_rules(loaded),
        exchange=Exchange(database, settings.trusted_issuers, Outbound(settings.identity.issuer_networks)),
        origins=origins_of(loaded),
        engines=_engines(loaded, database, load_secrets(keys / "secrets.json"), Stages(database, watch)),
        channel=channel_of(loaded),
        outbound=Outbound(settings.integrations.service_networks),
    )


def sinks_of(loaded: Loaded) -> dict[str, AuditSink]:
    """The sinks of the settings. Those that write to a server's own disk have a name for each server. Raises `UnknownChoice`."""
    found: dict[str, AuditSink] = {}
    for name in loaded.settings.audit.sinks:
        sink = made(audit_sinks, name).from_settings(loaded.home, loaded.settings.audit)
        found[f"{name}@{disk_id(loaded.home)}" if sink.is_local else name] = sink
    return found


def channel_of(loaded: Loaded) -> Channel | None:
    """How mails leave; ``None`` where the settings name no way. Raises `UnknownChoice`."""
    name = loaded.settings.notify.channel
    return made(message_channels, name).from_settings(loaded.settings.notify) if name else None


def _engines(loaded: Loaded, database: Database, secrets: Secrets, stages: Stages) -> ContentEngines:
    home, settings, content = loaded.home, loaded.settings, loaded.settings.content
    launcher, custodian = _launcher(loaded)
    users, origins = has_users(home), origins_of(loaded)
    return ContentEngines(
        database=database,
        secrets=secrets,
        jobs_key=load_key(home / "keys" / "jobs.json"),
        blobs=made(blob_stores, "disk")(home / "blobs"),
        launcher=launcher,
        custodian=custodian,
        languages=_languages(loaded),
        stages=stages,
        apps=home / "apps",
        runtimes=runtimes_of(loaded),
        matching=_matching(loaded, stages),
        public_url=lambda stage_id: origins.stage_url(stages.by_id(stage_id)),
        rules=WorkerRules(settings, stages),
        uid_of=lambda content_id: settings.launcher.uid_base + content_id if users else None,
        unpack_limits=UnpackLimits(content.unpacked_files_limit, content.unpacked_size_limit),
        drain_timeout=content.drain_timeout,
        builds=home / "cache" / "builds",
        build_timeout=settings.runtimes.build_timeout,
        build_size_limit=settings.runtimes.build_size_limit,
        builds_allowed=settings.runtimes.builds,
        frozen_limit=content.frozen_limit,
        memory_reserve=content.memory_reserve,
    )


def _launcher(loaded: Loaded) -> tuple[Launcher, Custodian]:
    """What runs jobs, and what works on files of their users: the runner does both for a server that has one."""
    home, options = loaded.home, loaded.settings.launcher
    if options.backend == "local" and is_ours(home):
        runner = made(launchers, "runner").from_settings(home, options)
        return runner, runner
    return made(launchers, options.backend).from_settings(home, options), OWN


def made(seam: Seam[Any], name: str) -> Any:
    """The class behind a name, to be made as it wants; what is made keeps the seam's contract."""
    return seam.load(name)


def runtimes_of(loaded: Loaded) -> Callable[[], list[Runtime]]:
    """Jobs that run under another uid need an interpreter that uid can read."""
    options = loaded.settings.runtimes
    for_uid = loaded.settings.launcher.uid_base if has_users(loaded.home) else None
    managed = ManagedPythons.from_settings(loaded.home, options)

    def found() -> list[Runtime]:
        pythons = discover(options.python, added=managed.installed().values(), for_uid=for_uid)
        return [*pythons, *discover_node(options.node, for_uid=for_uid)]

    return found


def _matching(loaded: Loaded, stages: Stages) -> Callable[[int], Policy]:
    """The rule of a stage; of one that is not in the settings, the installation's."""
    chosen = {s.key: s.python_matching for s in loaded.settings.stages}

    def policy(stage_id: int) -> Policy:
        stage = stages.by_id(stage_id)
        return (chosen.get(stage.key) if stage else None) or loaded.settings.runtimes.python_matching

    return policy


def _languages(loaded: Loaded) -> dict[str, Language]:
    home, options = loaded.home, loaded.settings.runtimes
    uv, npm = (made(library_restorers, name).from_settings(home, options) for name in ("uv", "npm"))
    return {
        "python": Language(uv, options.python_index),
        "nodejs": Language(npm, options.npm_registry),
    }


def _rules(loaded: Loaded) -> Rules:
    options = loaded.settings.identity
    return Rules(
        login_lifetime=options.login_lifetime,
        password_min_length=options.password_min_length,
        failures_allowed=options.failures_allowed,
        failures_window=options.failures_window,
        key_lifetime=options.key_lifetime,
        access_token_lifetime=options.access_token_lifetime,
        refresh_token_lifetime=options.refresh_token_lifetime,
    )
