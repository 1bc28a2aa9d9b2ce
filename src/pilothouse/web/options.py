"""The settings this installation follows, read only: each option with its value and where that came from."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, SecretStr

from pilothouse.asgi.context import SignedIn
from pilothouse.asgi.formats import duration, size
from pilothouse.asgi.rendering import page
from pilothouse.base.access import Permission, require
from pilothouse.settings import Loaded, Settings
from pilothouse.web.views import OptionLine, OptionSection, SettingsView

router = APIRouter(prefix="/_/admin")
#: What stands before the host in an address: a name, a password, a token.
CREDENTIALS = re.compile(r"://[^/?#\s]*@")

#: Names of options that count bytes.
BYTES = re.compile(r"size|memory$|cache_limit$")


@router.get("/settings")
def settings(request: Request, caller: SignedIn, q: str = "", changed: bool = False) -> Response:
    """Every option with its value and where it came from; secrets as dots. ``changed`` leaves the defaults out."""
    require(caller, Permission.SETTINGS_READ)
    loaded: Loaded = request.app.state.loaded
    where = f"Read from {loaded.file or 'no file'}, variables and the command line. Change them there and start the server again."
    view = SettingsView(where, _chosen(option_sections(loaded), q, changed=changed), q.strip(), changed)
    return page(request, "web/settings.html", view=view)


def _chosen(sections: list[OptionSection], query: str, *, changed: bool) -> list[OptionSection]:
    """Options that hold every word of ``query`` in their name or description; empty sections are left out."""
    words = query.lower().split()

    def is_wanted(option: OptionLine) -> bool:
        text = f"{option.name} {option.words}".lower()
        return all(word in text for word in words) and not (changed and option.origin == "default")

    found = [replace(section, options=[o for o in section.options if is_wanted(o)]) for section in sections]
    return [section for section in found if section.options]


def option_sections(loaded: Loaded) -> list[OptionSection]:
    """All sections of the settings, one for each room."""
    sections = []
    for name, field in Settings.model_fields.items():
        value = getattr(loaded.settings, name)
        if not isinstance(value, BaseModel):
            lines = [OptionLine(f"{name}.{entry.key}", "", _fields(entry), _origin(loaded, name)) for entry in value]
            sections.append(OptionSection(name, field.description or "", lines))
            continue
        lines = [
            OptionLine(
                f"{name}.{option}",
                about.description or "",
                _plain(getattr(value, option), option),
                _origin(loaded, f"{name}.{option}"),
            )
            for option, about in type(value).model_fields.items()
        ]
        sections.append(OptionSection(name, (type(value).__doc__ or "").strip(), lines))
    return sections


def _origin(loaded: Loaded, name: str) -> str:
    return loaded.origins.get(name, "default")


def _fields(entry: BaseModel) -> str:
    """Those that say something, as a line."""
    said = ((name, _plain(value, name)) for name, value in entry if name != "key" and value not in (None, "", {}, []))
    return ", ".join(f"{name} = {words}" for name, words in said) or "—"


def _plain(value: Any, name: str = "") -> str:
    """As people read it: sizes and durations with their units."""
    if value is None:
        return "—"
    if isinstance(value, SecretStr):
        return "••••••"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, int) and BYTES.search(name):
        return size(value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(item)}" for key, item in value.items()) or "—"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value) or "—"
    return CREDENTIALS.sub("://••••••@", str(value)) or "—"
