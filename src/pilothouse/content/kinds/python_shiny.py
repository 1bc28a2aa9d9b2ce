"""Shiny for Python, Core and Express."""

from __future__ import annotations

import re
from typing import ClassVar

from pilothouse.content.contract import Command, EntrypointMissing, Launch, Manifest, Project
from pilothouse.content.kinds._entrypoint import entrypoint, require_module

EXPRESS = "shiny.express.app"
ESCAPED = re.compile(r"_([0-9a-f]{2,6})_")


class PythonShiny:
    app_mode: ClassVar[str] = "python-shiny"
    title: ClassVar[str] = "Shiny for Python"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "run_pyshiny_app"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("shiny",)

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        module, name = entrypoint(project)
        if module != EXPRESS:
            require_module(project, module)
        elif not project.has(file := ESCAPED.sub(lambda m: chr(int(m[1], 16)), name)):
            raise EntrypointMissing(
                f"The Shiny Express file {file} is not in the bundle. Name the right one with --entrypoint."
            )

    def command(self, launch: Launch) -> Command:
        module, name = entrypoint(launch.project)
        return Command((launch.interpreter, launch.starter, "shiny", f"{module}:{name}", "{host}", "{port}"))
