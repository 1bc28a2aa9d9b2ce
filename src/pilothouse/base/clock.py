"""The one place that reads the wall clock. Tests freeze it with the ``frozen_clock`` fixture."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, always aware and in UTC."""
    return _source()


def _system() -> datetime:
    return datetime.now(UTC)


_source = _system


def set_source(source: object = None) -> None:
    """Replace the clock by ``source`` (a callable without arguments); ``None`` puts the system's clock back. Tests only."""
    global _source  # noqa: PLW0603 - the one switch that lets tests stop time
    _source = source if callable(source) else _system
