"""Runs a `JobSpec` somewhere and reports its state. Knows no domain. Start reading at ``contract.py``."""

from __future__ import annotations

from pilothouse.base.seam import Seam
from pilothouse.launcher.contract import Launcher

launchers = Seam(
    "pilothouse.launchers",
    Launcher,
    {
        "local": "pilothouse.launcher.backends.local.launcher:LocalLauncher",
        "runner": "pilothouse.launcher.backends.runner.client:RunnerLauncher",
        "memory": "pilothouse.launcher.backends.memory:MemoryLauncher",
    },
)
