"""Under which terms workers run: content's own fields where it has some, else the defaults; always within its load group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from pilothouse.base.access import Principal, Role
from pilothouse.base.errors import Denied, Invalid
from pilothouse.content.contract import ContentInvalid
from pilothouse.content.models import Content
from pilothouse.launcher.contract import Resources
from pilothouse.settings import LoadGroup, Settings
from pilothouse.stages import Stages

log = structlog.get_logger(__name__)
#: Fields that say how workers run; a change of one is checked against all.
FIELDS = frozenset({
    "load_group", "min_processes", "max_processes", "max_conns_per_process", "load_factor", "init_timeout", "idle_timeout",
    "connection_timeout", "read_timeout", "cpu_request", "cpu_limit", "memory_request", "memory_limit", "amd_gpu_limit",
    "nvidia_gpu_limit", "requests_per_minute",
})  # fmt: skip
TIMEOUTS = ("init_timeout", "idle_timeout", "connection_timeout", "read_timeout")
LONGEST_TIMEOUT_S = 30 * 24 * 3600
#: A start without a limit of its own (0) still ends: it takes a place in the queue from others.
LONGEST_START_S = 3600.0
MOST_CONNECTIONS = 100_000
MOST_REQUESTS = 10_000_000
MB = 1024 * 1024


class LimitExceeded(Invalid):
    """The load group of this content does not allow so much. Ask for less, or choose a larger load group."""

    code = "content/limit-exceeded"


@dataclass(frozen=True)
class Terms:
    """What the workers of one content run under. Seconds, cores, bytes, counts.

    ``resources`` are those of one worker; ``connections`` how many it may have, of which the share ``load_factor`` is
    reached before another is started. ``timeout`` bounds a connection without traffic, ``None`` = nothing does.
    ``requests_per_minute`` is what all API keys together may ask of it, 0 = as much as they like.
    """

    group: LoadGroup
    resources: Resources
    min_processes: int
    max_processes: int
    connections: int
    load_factor: float
    init_timeout: float
    idle_timeout: float
    timeout: float | None
    idle: str
    requests_per_minute: int = 0


class WorkerRules:
    """The defaults and load groups of one installation."""

    def __init__(self, settings: Settings, stages: Stages) -> None:
        self.defaults, self._stages = settings.content, stages
        self.groups: Mapping[str, LoadGroup] = {group.key: group for group in settings.load_groups}
        self._of_stage = {option.key: option for option in settings.stages}

    def default_group(self, stage_id: int, app_mode: str) -> LoadGroup:
        """The load group of content that names none: that of its kind in this stage, else the stage's, else ``medium`` or the first."""
        stage = self._stages.by_id(stage_id)
        option = self._of_stage.get(stage.key) if stage else None
        named = (option.kind_load_groups.get(app_mode) or option.load_group) if option else None
        return self.groups.get(named or "medium") or next(iter(self.groups.values()))

    def group_of(self, content: Content) -> LoadGroup:
        """Its load group; one that has left the settings counts as none, and the log says so."""
        named = content.load_group
        if named and named not in self.groups:
            log.warning(
                "a load group is not in the settings; the default applies", content=content.id, load_group=named
            )
        return self.groups.get(named or "") or self.default_group(content.stage_id, content.app_mode)

    def terms(self, content: Content) -> Terms:
        """What its workers run under now. What it asks for beyond its load group is cut to what that allows."""
        group, defaults = self.group_of(content), self.defaults
        most = min(_given(content.max_processes, defaults.max_processes), group.workers)
        init = _given(content.init_timeout, defaults.init_timeout.total_seconds())
        waits = (
            _given(content.connection_timeout, defaults.connection_timeout.total_seconds()),
            _given(content.read_timeout, defaults.read_timeout.total_seconds()),
        )
        return Terms(
            group=group,
            resources=_resources(content, group),
            min_processes=min(content.min_processes or 0, most),
            max_processes=most,
            connections=_given(content.max_conns_per_process, defaults.max_conns_per_process),
            load_factor=_given(content.load_factor, defaults.load_factor),
            requests_per_minute=_lower(content.requests_per_minute, defaults.requests_per_minute),
            init_timeout=float(init) or LONGEST_START_S,
            idle_timeout=float(_given(content.idle_timeout, defaults.idle_timeout.total_seconds())),
            timeout=None if 0 in waits else float(max(waits)),
            idle=content.idle or defaults.idle,
        )

    def check(self, actor: Principal, content: Content, *, before: Mapping[str, Any]) -> None:
        """Refuse what ``content`` asks for now, if any of it was changed from ``before``.

        Raises `ContentInvalid`, `LimitExceeded`, and `Denied` for a load group that only administrators give.
        """
        changed = {name for name in FIELDS & set(before) if before[name] != getattr(content, name)}
        if not changed:
            return
        if "load_group" in changed and content.load_group:
            self._check_group(actor, content.load_group)
        _check_numbers(content)
        asked, most = content.requests_per_minute or 0, self.defaults.requests_per_minute
        if "requests_per_minute" in changed and 0 < most < asked:
            raise LimitExceeded(
                f"requests_per_minute is at most {most} on this server. Ask for less, or ask an administrator."
            )
        group = self.group_of(content)
        for name, allowed in _allowed(group).items():
            asked = getattr(content, name) or 0
            if asked > allowed and changed & {name, "load_group"}:
                raise LimitExceeded(self._too_much(name, asked, group))
        for request, limit in (("cpu_request", "cpu_limit"), ("memory_request", "memory_limit")):
            asked, most = getattr(content, request) or 0, getattr(content, limit)
            if most and asked > most:
                raise ContentInvalid(f"{request} can't be above {limit} ({_shown(limit, most)}).")
        if (content.min_processes or 0) > (most := self.terms(content).max_processes):
            raise ContentInvalid(
                f"min_processes can't be above max_processes, which is {most}. Raise max_processes first."
            )

    def _check_group(self, actor: Principal, key: str) -> None:
        group = self.groups.get(key)
        if group is None:
            raise ContentInvalid(f"There is no load group “{key[:40]}”. Choose one of {', '.join(self.groups)}.")
        if group.given_by == "administrators" and not actor.has_role(Role.ADMINISTRATOR):
            raise Denied(f"Only administrators give content the load group “{key}”. Ask one of them.")

    def _too_much(self, name: str, asked: float, group: LoadGroup) -> str:
        larger = [other.key for other in self.groups.values() if asked <= _allowed(other)[name]]
        remedy = f"choose a load group that allows it: {', '.join(larger)}" if larger else "ask an administrator"
        most = _allowed(group)[name]
        return (
            f"{name} of {_shown(name, asked)} is more than the load group “{group.key}” allows: {_shown(name, most)}. "
            f"Ask for less, or {remedy}."
        )


def resources_of(group: LoadGroup) -> Resources:
    """All that one job may use in this load group."""
    return Resources(cpu_limit=group.cpu, memory_limit=group.memory, processes_limit=group.processes)


def _resources(content: Content, group: LoadGroup) -> Resources:
    """0 and no value are the same here: as much as the group allows."""
    cpu, memory = (
        min(content.cpu_limit or group.cpu, group.cpu),
        min(content.memory_limit or group.memory, group.memory),
    )
    return Resources(
        cpu_request=min(content.cpu_request, cpu) if content.cpu_request else None,
        cpu_limit=cpu,
        memory_request=min(content.memory_request, memory) if content.memory_request else None,
        memory_limit=memory,
        processes_limit=group.processes,
    )


def _allowed(group: LoadGroup) -> dict[str, float]:
    return {
        "cpu_limit": group.cpu,
        "cpu_request": group.cpu,
        "memory_limit": group.memory,
        "memory_request": group.memory,
        "max_processes": group.workers,
        "min_processes": group.workers,
        "amd_gpu_limit": 0,
        "nvidia_gpu_limit": 0,
    }


def _check_numbers(content: Content) -> None:
    for name in TIMEOUTS:
        if (getattr(content, name) or 0) > LONGEST_TIMEOUT_S:
            raise ContentInvalid(f"{name} is at most {LONGEST_TIMEOUT_S} seconds (30 days).")
    for name, most in (("max_processes", None), ("max_conns_per_process", MOST_CONNECTIONS)):
        asked = getattr(content, name)
        if asked is not None and asked < 1:
            raise ContentInvalid(f"{name} is at least 1. Leave it empty for the default.")
        if asked is not None and most is not None and asked > most:
            raise ContentInvalid(f"{name} is at most {most}.")
    if (content.requests_per_minute or 0) > MOST_REQUESTS:
        raise ContentInvalid(f"requests_per_minute is at most {MOST_REQUESTS}. Leave it empty for no limit of its own.")
    if (content.load_factor or 0) > 1:
        raise ContentInvalid("load_factor is a share of max_conns_per_process: a number from 0 to 1.")


def _given(own: Any, default: Any) -> Any:
    """No value means the default; 0 is a value."""
    return default if own is None else own


def _lower(own: int | None, most: int) -> int:
    """Of two limits the lower one; 0 and no value are none."""
    return min((limit for limit in (own, most) if limit), default=0)


def _shown(name: str, amount: float) -> str:
    return f"{amount / MB:.0f} MB" if name.startswith("memory") else f"{amount:g}"
