"""Server facts: ``/server_settings`` and its relatives (connect-wire-api §2.1)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from pilothouse.asgi.context import SignedIn
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.connect_api.errors import NoEndpoint
from pilothouse.content.service.terms import TIMEOUTS

router = APIRouter()

#: What we serve today, by the wire's word. Publisher reads it to decide what to offer.
LICENSE = {"allow-apis": True, "current-user-execution": False, "enable-launcher": False, "oauth-integrations": True}

LIMITS = (
    "min_processes", "max_processes", "max_conns_per_process", "load_factor", "init_timeout", "idle_timeout",
    "connection_timeout", "read_timeout", "min_processes_limit", "max_processes_limit", "cpu_request", "cpu_limit",
    "memory_request", "memory_limit", "amd_gpu_limit", "nvidia_gpu_limit", "max_cpu_request", "max_cpu_limit",
    "max_memory_request", "max_memory_limit", "max_amd_gpu_limit", "max_nvidia_gpu_limit",
)  # fmt: skip


@router.get("/server_settings")
def server_settings(wire: WireOf) -> dict[str, Any]:
    """Open to everybody: clients find the server and its version here."""
    return {
        "version": wire.loaded.settings.connect_api.version,
        "hostname": wire.hostname,
        "authentication": {"name": "Password", "handles_credentials": True},
        "license": LICENSE,
        "runtimes": ["Python"],
        "git_enabled": False,
        "git_available": False,
        "execution_type": "native",
        "enable_runtime_constraints": True,
        "enable_image_management": False,
        "default_image_selection_enabled": False,
        "default_environment_management_selection": True,
        "default_r_environment_management": True,
        "default_py_environment_management": True,
        "oauth_integrations_enabled": True,
    }


@router.get("/server_settings/applications")
def applications(caller: SignedIn) -> dict[str, Any]:
    return {"access_types": ["acl", "logged_in", "all"], "run_as": "", "run_as_group": "", "run_as_current_user": False}


@router.get("/server_settings/scheduler")
@router.get("/server_settings/scheduler/{app_mode}")
def scheduler(caller: SignedIn, stage: StageOf, wire: WireOf, app_mode: str = "") -> dict[str, Any]:
    """The defaults of new content of this kind and what its load group allows; 0 = no limit. Whole numbers but for
    cores and the load factor: clients read them as such.
    """
    rules = wire.worker_rules
    defaults, group = rules.defaults, rules.default_group(stage.id, app_mode)
    known = {
        "max_processes": min(defaults.max_processes, group.workers),
        "max_conns_per_process": defaults.max_conns_per_process,
        "load_factor": defaults.load_factor,
        **{name: int(getattr(defaults, name).total_seconds()) for name in TIMEOUTS},
        "min_processes_limit": group.workers,
        "max_processes_limit": group.workers,
        "cpu_limit": group.cpu,
        "memory_limit": group.memory,
        "max_cpu_request": group.cpu,
        "max_cpu_limit": group.cpu,
        "max_memory_request": group.memory,
        "max_memory_limit": group.memory,
    }
    return {name: known.get(name, 0) for name in LIMITS}


@router.get("/v1/server_settings/{language}")
def installations(language: str, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    """The installed versions of one language."""
    if language not in ("python", "r", "quarto", "nodejs", "tensorflow"):
        raise NoEndpoint
    versions = [r.version for r in wire.runtimes() if r.kind == language]
    found = [{"version": v, "cluster_name": "Local", "image_name": "", "publishable": True} for v in versions]
    answer: dict[str, Any] = {"installations": found}
    if language == "python":
        answer["api_enabled"] = True
    if language == "nodejs":
        is_there = bool(versions)
        answer |= {
            "enabled": is_there,
            "status": dict.fromkeys(("enabled", "licensed", "available", "usable", "configured"), is_there),
        }
    return answer
