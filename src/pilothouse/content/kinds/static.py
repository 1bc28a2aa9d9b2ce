"""Files as they are: a page, a site, a report rendered elsewhere."""

from __future__ import annotations

from typing import ClassVar

from pilothouse.content.contract import Command, EntrypointMissing, Launch, Manifest, Project


class Static:
    app_mode: ClassVar[str] = "static"
    title: ClassVar[str] = "Document"
    language: ClassVar[str] = ""
    job_tag: ClassVar[str] = "unknown"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = True
    requirements: ClassVar[tuple[str, ...]] = ()

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        named = project.manifest.primary_html
        if named and not project.has(named):
            raise EntrypointMissing(
                f"The start page {named} is not in the bundle. Name the right file with --entrypoint."
            )
        if not named and not project.has("index.html"):
            raise EntrypointMissing("The bundle has no index.html and names no start page. Name one with --entrypoint.")

    def command(self, launch: Launch) -> Command:
        raise NotImplementedError("files are sent by the gateway; there is nothing to run")
