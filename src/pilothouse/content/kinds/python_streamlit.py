"""Streamlit apps, run by Streamlit itself."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, Launch, Manifest, Project
from pilothouse.content.kinds._script import script

#: All its URLs are relative to the page, so one worker serves several mounts. Its own checks of origins and of forged
#: uploads stay on: the gateway leaves ``Host`` as it was.
SETTINGS = {
    "STREAMLIT_SERVER_HEADLESS": "true",
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
    "STREAMLIT_SERVER_RUN_ON_SAVE": "false",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}


class PythonStreamlit:
    app_mode: ClassVar[str] = "python-streamlit"
    title: ClassVar[str] = "Streamlit"
    language: ClassVar[str] = "python"
    job_tag: ClassVar[str] = "run_streamlit"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ("streamlit",)

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        script(project)

    def command(self, launch: Launch) -> Command:
        file = f"{launch.app}/{script(launch.project)}"
        return Command((launch.interpreter, launch.starter, "streamlit", file, "{host}", "{port}"), SETTINGS)
