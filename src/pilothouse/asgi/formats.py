"""How moments, sizes and durations read on a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from gettext import NullTranslations

from markupsafe import Markup, escape

from pilothouse.base import clock

_UNITS = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


def size(size_bytes: int | None) -> str:
    """``3.4 MB``; an em dash when unknown."""
    if size_bytes is None:
        return "—"
    for step, unit in _UNITS:
        if size_bytes >= step:
            amount = size_bytes / step
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{size_bytes} bytes"


def duration(span: timedelta | None) -> str:
    """``0.4 s``, ``4 s``, ``2 min 5 s``, ``3 h 10 min``, ``2 d 4 h``; an em dash when unknown."""
    if span is None:
        return "—"
    if timedelta(0) < span < timedelta(seconds=1):
        return f"{max(span.total_seconds(), 0.1):.1f} s"
    seconds = max(int(span.total_seconds()), 0)
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[:2] if amount or len(parts) == 1)


def exact(at: datetime) -> str:
    """The whole moment with its zone, for people who hover."""
    return f"{at:%d %b %Y, %H:%M:%S} {at.tzname() or 'UTC'}"


def ago(at: datetime | None, texts: NullTranslations) -> Markup | str:
    """A ``<time>`` that reads as "3 minutes ago" and tells the exact moment on hover; an em dash when there is none."""
    if at is None:
        return "—"
    words = relative(clock.now() - at, texts)
    return Markup(f'<time data-ago datetime="{at.isoformat()}" title="{exact(at)}">{escape(words)}</time>')  # noqa: S704


def relative(since: timedelta, texts: NullTranslations) -> str:
    """``since`` in words, past when positive."""
    seconds = int(since.total_seconds())
    if abs(seconds) < 60:
        return texts.gettext("just now")
    n, one, many = _count(abs(seconds))
    amount = texts.ngettext(one, many, n) % {"n": n}
    return (texts.gettext("%(amount)s ago") if seconds > 0 else texts.gettext("in %(amount)s")) % {"amount": amount}


def _count(seconds: int) -> tuple[int, str, str]:
    for step, one, many in (
        (31557600, "%(n)s year", "%(n)s years"),
        (2629800, "%(n)s month", "%(n)s months"),
        (86400, "%(n)s day", "%(n)s days"),
        (3600, "%(n)s hour", "%(n)s hours"),
    ):
        if seconds >= step:
            return seconds // step, one, many
    return seconds // 60, "%(n)s minute", "%(n)s minutes"
