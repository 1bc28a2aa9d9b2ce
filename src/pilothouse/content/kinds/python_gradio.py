"""Gradio apps: an object that is a Blocks, an Interface or a ChatInterface."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._entrypoint import DEFAULT_OBJECTS, entrypoint, require_module

#: Nothing is told to anybody else, and no second server (of pages rendered ahead) is started beside the app.
SETTINGS = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_SSR_MODE": "False"}


class PythonGradio:
    app_mode: ClassVar[str] = "python-gradio"
    title: ClassVar[str] = "Gradio"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "unknown"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("gradio",)

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        require_module(project, entrypoint(project)[0])

    def command(self, launch: Launch) -> Command:
        module, name = entrypoint(launch.project, defaults=f"demo,{DEFAULT_OBJECTS}")
        return Command((launch.interpreter, launch.starter, "gradio", f"{module}:{name}", "{host}", "{port}"), SETTINGS)
