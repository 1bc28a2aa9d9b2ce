"""Entry points of Python content: ``module``, ``module:object``, ``file.py`` and ``package.module:object`` (§4.3)."""

from __future__ import annotations

import re

from pilothouse.content.contract import EntrypointMissing, Project

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
#: The names that are tried if none was given, in the order that the publishing client promises.
DEFAULT_OBJECTS = "app,application,create_app,make_app"


def entrypoint(project: Project, *, defaults: str = DEFAULT_OBJECTS) -> tuple[str, str]:
    """Module and object, ``defaults`` if none was named. Raises `EntrypointMissing` if it can't be in the bundle."""
    given = project.manifest.entrypoint.strip() or "app"
    module, _, found = given.partition(":")
    module = module.removesuffix(".py").replace("/", ".")
    if not WORD.fullmatch(module) or (found and not WORD.fullmatch(found)):
        raise EntrypointMissing(
            f"The entry point “{given[:80]}” can't be read. Write it as module:object, for example app:app."
        )
    return module, found or defaults


def require_module(project: Project, module: str) -> None:
    """Raise `EntrypointMissing` unless the bundle holds the module."""
    path = module.replace(".", "/")
    if not (project.has(f"{path}.py") or project.has(f"{path}/__init__.py")):
        names = ", ".join(sorted(p.name for p in project.root.glob("*.py"))[:5]) or "no Python file"
        raise EntrypointMissing(
            f"The entry point's module {module} is not in the bundle (looked for {path}.py; at its top there is {names}). "
            "Name it with --entrypoint module:object."
        )
