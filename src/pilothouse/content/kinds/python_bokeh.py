"""Bokeh server apps: a file, or a folder with ``main.py`` and what Bokeh knows beside it."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._script import script
from pilothouse.content.kinds._sessions import signed


class PythonBokeh:
    app_mode: ClassVar[str] = "python-bokeh"
    title: ClassVar[str] = "Bokeh"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "run_bokeh_app"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("bokeh",)

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        script(project)

    def command(self, launch: Launch) -> Command:
        file = f"{launch.app}/{script(launch.project)}"
        return Command((launch.interpreter, launch.starter, "bokeh", file, "{host}", "{port}"), signed(launch))
