"""Dash apps, under gunicorn."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._entrypoint import entrypoint, require_module


class PythonDash:
    app_mode: ClassVar[str] = "python-dash"
    title: ClassVar[str] = "Dash"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "run_dash_app"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("dash", "gunicorn")

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        require_module(project, entrypoint(project)[0])

    def command(self, launch: Launch) -> Command:
        module, name = entrypoint(launch.project)
        return Command((launch.interpreter, launch.starter, "dash", f"{module}:{name}", "{host}", "{port}"))
