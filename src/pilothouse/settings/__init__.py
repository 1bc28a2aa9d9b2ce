"""All options of an installation. ``options/`` declares them, ``layers.py`` reads them.

Order of strength: command-line flag > ``PILOTHOUSE_ROOM__OPTION`` > the TOML file > default. Options never live in the
database. An unknown key is an error that proposes the nearest known one; any secret may also be given as ``…_file``.
"""

from pilothouse.settings.layers import Loaded, SettingsInvalid, flat, load
from pilothouse.settings.options import LoadGroup, Logging, Settings, StageOption
from pilothouse.settings.weak import weak_points

__all__ = [
    "LoadGroup",
    "Loaded",
    "Logging",
    "Settings",
    "SettingsInvalid",
    "StageOption",
    "flat",
    "load",
    "weak_points",
]
