"""ASGI applications: FastAPI, Starlette, Quart, Falcon and their like."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._entrypoint import entrypoint, require_module


class PythonFastapi:
    app_mode: ClassVar[str] = "python-fastapi"
    title: ClassVar[str] = "Python API (ASGI)"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "run_fastapi_app"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("uvicorn", "websockets")

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        require_module(project, entrypoint(project)[0])

    def command(self, launch: Launch) -> Command:
        module, name = entrypoint(launch.project)
        return Command((launch.interpreter, launch.starter, "asgi", f"{module}:{name}", "{host}", "{port}"))
