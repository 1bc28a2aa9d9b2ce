"""The look of one company: options of the room ``web``, and whether a colour can be read (WCAG 2.2, contrast of 4.5 to 1)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

#: Behind white text of buttons, and behind text in the accent's colour in the dark look.
WHITE, DARK_CARD = "#ffffff", "#132230"
AA = 4.5
LOGO_KINDS = (".svg", ".png", ".webp", ".jpg")
LOGO_LIMIT = 256 * 1024


def contrast(one: str, other: str) -> float:
    """The contrast of two colours ``#rrggbb``, from 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, towards: str, part: float) -> str:
    """``colour`` with ``part`` (0 to 1) of another one."""
    pairs = zip(_channels(colour), _channels(towards), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def readable(colour: str, on: str, towards: str) -> str:
    """``colour``, moved ``towards`` black or white as little as makes it readable on ``on``."""
    steps = (mixed(colour, towards, step / 50) for step in range(51))
    return next((found for found in steps if contrast(found, on) >= AA), towards)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    parts = [c / 255 for c in _channels(colour)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError("it must be a colour such as #0f8f83")
    return value.lower()


Colour = Annotated[str, AfterValidator(_colour)]


class Web(BaseModel):
    """The look of the pages."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    title: str = Field("Pilothouse", min_length=1, max_length=40)
    """Name of this server on every page."""
    logo: Path | None = None
    """A picture in place of ours: SVG, PNG, WebP or JPEG, at most 256 kB. It stands on dark blue and on the page's ground."""
    accent: Colour | None = None
    """Colour of buttons and links, such as `#0b7a70`. White text must be readable on it."""
    accent_dark: Colour | None = None
    """Colour of links in the dark look, where it must be readable on dark blue. Default: `accent`, lighter."""
    login_notice: str = Field("", max_length=1000)
    """A sentence on the sign-in page, such as who may use this server."""
    help_url: str = Field("", max_length=500)
    """Where people find help: an address that begins with `https://`, `http://` or `mailto:`."""

    @field_validator("accent", "accent_dark")
    @classmethod
    def _can_be_read(cls, value: str | None, info: ValidationInfo) -> str | None:
        on, towards = (DARK_CARD, WHITE) if info.field_name == "accent_dark" else (WHITE, "#000000")
        if value is not None and (found := contrast(value, on)) < AA:
            ground = "on the dark look's ground" if on == DARK_CARD else "with white text"
            better = readable(value, on, towards)
            raise ValueError(
                f"{value} has a contrast of {found:.1f} to 1 {ground}, and people need 4.5 to read; choose another one, such as {better}"
            )
        return value

    @field_validator("logo")
    @classmethod
    def _is_a_picture(cls, value: Path | None) -> Path | None:
        if value is None:
            return value
        if value.suffix.lower() not in LOGO_KINDS:
            raise ValueError(f"{value} must be a picture: {', '.join(LOGO_KINDS)}")
        if not value.is_file():
            raise ValueError(f"there is no file {value}; name it with its whole path")
        if value.stat().st_size > LOGO_LIMIT:
            raise ValueError(f"{value} is larger than 256 kB; make it smaller")
        return value

    @field_validator("help_url")
    @classmethod
    def _leads_somewhere(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://", "mailto:")):
            raise ValueError("it must begin with https://, http:// or mailto:")
        return value
