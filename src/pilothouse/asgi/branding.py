"""The look of this installation as pages use it: name, picture, colours, the notice at the sign-in, the way to help."""

from __future__ import annotations

from dataclasses import dataclass

from pilothouse.asgi.static_files import StaticAsset, asset_of
from pilothouse.settings.branding import DARK_CARD, WHITE, Web, mixed, readable

STYLE, LOGO = "branding.css", "branding-logo"


@dataclass(frozen=True)
class Branding:
    """``style`` and ``logo`` are addresses, empty where ours stand; ``assets`` is what is found there."""

    title: str
    login_notice: str
    help_url: str
    style: str
    logo: str
    assets: dict[str, StaticAsset]


def branding(options: Web) -> Branding:
    """From settings, which were checked. Reads the picture once."""
    assets = {}
    if options.accent or options.accent_dark:
        assets[STYLE] = asset_of(style_sheet(options).encode(), STYLE)
    if options.logo is not None:
        assets[LOGO] = asset_of(options.logo.read_bytes(), options.logo.name)
    address = {name: f"/static/{name}?v={asset.digest}" for name, asset in assets.items()}
    return Branding(
        options.title, options.login_notice, options.help_url, address.get(STYLE, ""), address.get(LOGO, ""), assets
    )


@dataclass(frozen=True)
class Accents:
    """The company's colour in the light and in the dark look; empty where ours stands."""

    light: str
    dark: str


def accents(options: Web) -> Accents:
    """Without a dark one of its own, the accent is made as much lighter as reading it takes."""
    derived = readable(options.accent, DARK_CARD, WHITE) if options.accent else ""
    return Accents(options.accent or "", options.accent_dark or derived)


def style_sheet(options: Web) -> str:
    """The accent's tokens for both looks. Text in the accent's colour is moved until it can be read on its own soft ground."""
    dark = accents(options).dark
    sheets = []
    if options.accent:
        soft = mixed(options.accent, WHITE, 0.89)
        ink = readable(options.accent, soft, "#000000")
        sheets.append(f":root {{ {_tokens(options.accent, ink, soft)} --ph-accent-fill: {options.accent}; }}")
    soft = mixed(dark, DARK_CARD, 0.8)
    sheets.append(f'[data-bs-theme="dark"] {{ {_tokens(dark, readable(dark, soft, WHITE), soft)} }}')
    return "\n".join(sheets) + "\n"


def _tokens(accent: str, ink: str, soft: str) -> str:
    return f"--ph-accent: {accent}; --ph-accent-ink: {ink}; --ph-accent-soft: {soft};"


OURS = branding(Web())
