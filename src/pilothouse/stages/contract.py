"""Nouns of the room."""

from __future__ import annotations

from dataclasses import dataclass

from pilothouse.base.errors import Invalid

#: First segments of a path that no stage, vanity path or page may take (DESIGN §5).
RESERVED = frozenset({
    "__api__", "__login__", "__ping__", "__docs__", "__oauth__", "__authz", "__page", "api", "auth", "connect", "content", "oauth", "packages", "s",
    "static", ".well-known", "_", "healthz", "readyz", "metrics",
})  # fmt: skip


class StagesInvalid(Invalid):
    """The stages in the settings don't fit together. Correct them and start again."""

    code = "stages/invalid"


@dataclass(frozen=True)
class StageRef:
    """A stage as everybody uses it. ``path`` begins and ends in ``/``; ``usage`` is what statistics keep of visitors.

    ``host`` and ``content_host`` are names of its own, for its pages and for its content.
    """

    id: int
    key: str
    title: str
    path: str
    host: str | None
    position: int
    usage: str = "named"
    content_host: str | None = None
