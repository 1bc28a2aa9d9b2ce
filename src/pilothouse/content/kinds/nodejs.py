"""Node.js applications: a JavaScript file that listens on the port in ``PORT``, with the packages of its package-lock.json."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import ClassVar

from pilothouse.content.contract import Command, EntrypointMissing, Launch, Manifest, Project

SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".mts")


class Nodejs:
    app_mode: ClassVar[str] = "nodejs"
    title: ClassVar[str] = "Node.js"
    language: ClassVar[str] = "nodejs"
    job_tag: ClassVar[str] = "run_nodejs_app"
    strips_prefix: ClassVar[bool] = True
    serves_files: ClassVar[bool] = False
    requirements: ClassVar[tuple[str, ...]] = ()

    def detect(self, manifest: Manifest) -> bool:
        return manifest.app_mode == self.app_mode

    def validate(self, project: Project) -> None:
        file = _file(project)
        if PurePosixPath(file).suffix not in SUFFIXES:
            raise EntrypointMissing(
                f"“{file[:80]}” is no JavaScript file. Name it with --entrypoint, for example app.js."
            )
        if not project.has(file):
            raise EntrypointMissing(f"The file {file[:80]} is not in the bundle. Name the right one with --entrypoint.")
        for name in ("package.json", "package-lock.json"):
            if not project.has(name):
                raise EntrypointMissing(f"The bundle has no {name}. Run npm install in the project and deploy again.")
        _check_lock(project)

    def command(self, launch: Launch) -> Command:
        argv = (launch.interpreter, "--require", launch.preload, f"{launch.app}/{_file(launch.project)}")
        return Command(argv, {"PORT": "{port}", "HOST": "{host}", "NODE_ENV": "production"})


def _file(project: Project) -> str:
    return project.manifest.entrypoint.strip().removeprefix("./") or "app.js"


def _check_lock(project: Project) -> None:
    """``npm ci`` would refuse it as well, after everything was unpacked and in more words."""
    try:
        wished = json.loads((project.root / "package.json").read_bytes()).get("dependencies") or {}
        packages = json.loads((project.root / "package-lock.json").read_bytes()).get("packages") or {}
        locked = packages.get("", {}).get("dependencies") or {}
        differing = sorted(name for name in {*wished, *locked} if wished.get(name) != locked.get(name))
    except (ValueError, AttributeError, TypeError):
        raise EntrypointMissing(
            "The package.json or package-lock.json can't be read. Run npm install and deploy again."
        ) from None
    if differing:
        raise EntrypointMissing(
            f"The package-lock.json does not answer package.json ({', '.join(differing[:5])}). Run npm install and deploy again."
        )
