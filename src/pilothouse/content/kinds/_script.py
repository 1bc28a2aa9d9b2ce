"""Entry points that are files: ``app.py``, ``pages/app.py``, a module ``pages.app``, or a folder that holds a ``main.py`` (§4.3)."""

from __future__ import annotations

import re

from pilothouse.content.contract import EntrypointMissing, Project

#: No part may climb, hide or be taken for an option of a command.
PATH = re.compile(r"\w[\w .@+-]*(/\w[\w .@+-]*)*")


def script(project: Project) -> str:
    """The file to run, relative to the bundle's root. Raises `EntrypointMissing` if it isn't there."""
    given = project.manifest.entrypoint.partition(":")[0].strip().removeprefix("./").rstrip("/") or "app"
    if not PATH.fullmatch(given):
        raise EntrypointMissing(
            f"The entry point “{given[:80]}” can't be read. Name a file of the bundle, for example app.py."
        )
    file = given if given.endswith(".py") else f"{given.replace('.', '/')}.py"
    looked = (file, f"{given}/main.py")
    found = next((name for name in looked if project.has(name)), None)
    if found is None:
        names = ", ".join(sorted(p.name for p in project.root.glob("*.py"))[:5]) or "no Python file"
        raise EntrypointMissing(
            f"The entry point {file} is not in the bundle (at its top there is {names}). Name it with --entrypoint."
        )
    return found
