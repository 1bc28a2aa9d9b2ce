"""No option without effect: each is read somewhere."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from tests.factories.source import ROOT

from pilothouse.settings import Settings

#: Read by rule, not by name: `…_file` options are resolved while settings are read.
BY_RULE = re.compile(r"_file$")


def test_every_option_is_read_somewhere() -> None:
    text = "\n".join(
        p.read_text() for p in (ROOT / "src" / "pilothouse").rglob("*.py") if "settings/options" not in str(p)
    )
    unread = [
        f"{room}.{option}"
        for room, field in Settings.model_fields.items()
        for option in options_of(field.annotation)
        if not BY_RULE.search(option) and not re.search(rf"\.{option}\b", text)
    ]
    assert unread == []


def options_of(annotation: Any) -> list[str]:
    kinds = [annotation, *getattr(annotation, "__args__", ())]
    return [name for k in kinds if isinstance(k, type) and issubclass(k, BaseModel) for name in k.model_fields]
