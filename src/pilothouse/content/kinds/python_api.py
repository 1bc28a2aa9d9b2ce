"""WSGI applications: Flask and its like, under gunicorn."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._entrypoint import entrypoint, require_module


class PythonApi:
    app_mode: ClassVar[str] = "python-api"
    title: ClassVar[str] = "Python API (WSGI)"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "run_python_api"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("gunicorn",)

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        require_module(project, entrypoint(project)[0])

    def command(self, launch: Launch) -> Command:
        module, name = entrypoint(launch.project)
        return Command((launch.interpreter, launch.starter, "wsgi", f"{module}:{name}", "{host}", "{port}"))
