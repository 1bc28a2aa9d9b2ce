"""Every option, typed and documented where it is declared; sections are rooms."""

from __future__ import annotations

from pydantic import model_validator

from pilothouse.settings.branding import Web
from pilothouse.settings.options.messages import Notify
from pilothouse.settings.options.names import check_names
from pilothouse.settings.options.people import Audit, Identity
from pilothouse.settings.options.protocol import ConnectApi
from pilothouse.settings.options.serving import Db, Gateway, Integrations, Logging, Metrics, Server
from pilothouse.settings.options.stages import StageOption
from pilothouse.settings.options.trust import TrustedIssuer
from pilothouse.settings.options.types import MB, Section
from pilothouse.settings.options.work import Content, Launcher, LoadGroup, Runtimes, Tasks

__all__ = [
    "Audit", "Gateway", "Launcher", "LoadGroup", "Logging", "Notify", "Runtimes", "Settings", "StageOption", "TrustedIssuer",
]  # fmt: skip


class Settings(Section):
    """All options of one installation."""

    server: Server = Server()
    db: Db = Db()
    identity: Identity = Identity()
    audit: Audit = Audit()
    notify: Notify = Notify()
    tasks: Tasks = Tasks()
    launcher: Launcher = Launcher()
    content: Content = Content()
    runtimes: Runtimes = Runtimes()
    gateway: Gateway = Gateway()
    integrations: Integrations = Integrations()
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

    trusted_issuers: list[TrustedIssuer] = []

    @model_validator(mode="after")
    def _trusted_issuers_name_stages_that_exist(self) -> Settings:
        keys, known = [rule.key for rule in self.trusted_issuers], [stage.key for stage in self.stages]
        if len(set(keys)) != len(keys):
            raise ValueError("trusted_issuers must have no key twice")
        for rule in self.trusted_issuers:
            for named in rule.stages:
                if named not in known:
                    raise ValueError(
                        f"the trusted issuer {rule.key} names the stage {named}; there are {', '.join(known)}"
                    )
        return self

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
    def _each_name_stands_for_one_origin(self) -> Settings:
        check_names(self.server, self.stages)
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
