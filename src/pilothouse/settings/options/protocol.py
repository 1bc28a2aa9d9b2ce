"""What clients of the publishing protocol see."""

from __future__ import annotations

from pilothouse.settings.options.types import Section


class ConnectApi(Section):
    """The publishing protocol."""

    version: str = "2026.06.0"
    """The version that clients see; they switch features on by it."""
