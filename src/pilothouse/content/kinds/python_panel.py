"""Panel apps: files that call ``servable()``."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._script import script
from pilothouse.content.kinds._sessions import signed


class PythonPanel:
    app_mode: ClassVar[str] = "python-panel"
    title: ClassVar[str] = "Panel"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "unknown"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("panel",)

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        script(project)

    def command(self, launch: Launch) -> Command:
        file = f"{launch.app}/{script(launch.project)}"
        return Command((launch.interpreter, launch.starter, "panel", file, "{host}", "{port}"), signed(launch))
