"""Our own source, as the tests of the house read it."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pilothouse

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pilothouse"
ROOMS = sorted(p.parent for p in SOURCE.glob("*/__init__.py"))
#: Loaded by other programs than ours: the sandboxed children, Alembic, ``python -m``.
NOT_IMPORTED = (
    "__main__",
    "migrations",
    "shim",
    "unpack_child",
    "compare_child",
    "peek_child",
    "tree_child",
    "freezer_child",
)


@functools.cache
def files() -> dict[Path, ast.Module]:
    """Every file of the product, parsed; paths are relative to the repository."""
    found = sorted(p for p in SOURCE.rglob("*.py"))
    return {p.relative_to(ROOT): ast.parse(p.read_text()) for p in found}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its place, such as ``src/pilothouse/db/engine.py:on_commit``."""
    for path, tree in files().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.name}", node


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    found = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return [name for name in found if name not in ("self", "cls")]


@functools.cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the product, imported."""
    names = [m.name for m in pkgutil.walk_packages(pilothouse.__path__, "pilothouse.")]
    return tuple(importlib.import_module(n) for n in names if not any(part in n.split(".") for part in NOT_IMPORTED))
