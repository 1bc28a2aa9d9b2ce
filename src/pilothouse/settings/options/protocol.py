"""What clients of the publishing protocol see."""

from __future__ import annotations

import re

from pydantic import field_validator

from pilothouse.settings.options.types import Section


class ConnectApi(Section):
    """The publishing protocol."""

    version: str = "2026.06.0"
    """The version that clients see, as numbers with dots; they switch features on by it. An old one makes them do without, for example,
    drafts."""

    @field_validator("version")
    @classmethod
    def _is_read_alike_by_all(cls, value: str) -> str:
        """Some clients take it apart at its dots, others read it as PEP 440 says."""
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,3}", value, re.ASCII):
            raise ValueError("it must be at most four numbers with dots between them, as 2026.06.0")
        return value
