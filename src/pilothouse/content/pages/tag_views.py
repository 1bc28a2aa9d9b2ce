"""What the page of the tree of tags shows, decided before a template sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pilothouse.asgi.rendering import Done


@dataclass(frozen=True)
class Place:
    """Somewhere to go: what it is called, and its address."""

    key: str
    name: str
    href: str


@dataclass(frozen=True)
class TagNode:
    """One tag of the tree with those below it; ``href`` opens it for changes."""

    id: int
    name: str
    facts: str
    href: str
    nodes: Sequence[TagNode] = ()


@dataclass(frozen=True)
class TagEditor:
    """The tag that is open for changes. ``loses`` says what goes with it; empty where removing it can be undone."""

    id: int
    name: str
    path: str
    parent: str
    places: Sequence[tuple[str, str]]
    loses: str = ""


@dataclass(frozen=True)
class TagsView:
    """The tree, or what is shown of it: ``categories`` to choose from, where it is too large for one page."""

    nodes: Sequence[TagNode]
    path: str
    categories: Sequence[Place] = ()
    category: str = ""
    editor: TagEditor | None = None
    problem: str = ""
    done: Done | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
