"""Pages that the gateway's door shows in place of an app: it starts, it failed, it is not there, it is not yours.

They go out on the content origin, beside people's own code: one file each, no script, nothing loaded, one style allowed
by its hash. Send them with `HEADERS`. Viewers read plain words; reasons and logs are for people who may change the item.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup

from pilothouse.asgi.formats import duration
from pilothouse.asgi.rendering import templates
from pilothouse.asgi.request_ids import request_id
from pilothouse.asgi.texts import ENGLISH

_STYLE = (Path(__file__).parent / "states.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: Response headers of every page here.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
)

NOTHING: Mapping[str, float] = MappingProxyType({})


def starting(title: str, phases: Mapping[str, float] = NOTHING, *, language: str = ENGLISH) -> bytes:
    """A worker starts; the page looks again every two seconds. ``phases`` are seconds: ``queued``, then ``starting``, and what
    that takes ``usual``-ly; what has not begun, or is not known, is left out.
    """
    spans = {phase: duration(timedelta(seconds=int(seconds))) for phase, seconds in phases.items()}
    known = {phase: spans.get(phase, "") for phase in ("queued", "starting", "usual")}
    return _page("starting", language, title=title, **known)


def busy(title: str, *, language: str = ENGLISH) -> bytes:
    """All places are taken; the page looks again every five seconds."""
    return _page("busy", language, title=title)


def failed(title: str, *, reason: str = "", log_url: str = "", language: str = ENGLISH) -> bytes:
    """It could not be started. ``reason`` and ``log_url`` only for people who may change it."""
    return _page("failed", language, title=title, reason=reason, log_url=log_url)


def not_found(*, home_url: str = "/", language: str = ENGLISH) -> bytes:
    """Nothing is at this address."""
    return _page("not_found", language, home_url=home_url)


def denied(
    *, title: str = "", owner: str = "", ask_url: str = "", home_url: str = "/", language: str = ENGLISH
) -> bytes:
    """Signed in, but not among those who may open it. ``owner`` is whom to ask, ``ask_url`` how (``mailto:``).

    Leave ``title`` empty where even the name is not for everybody.
    """
    return _page("denied", language, title=title, owner=owner, ask_url=ask_url, home_url=home_url)


def unavailable(*, language: str = ENGLISH) -> bytes:
    """The server, or the app, does not answer right now; the page looks again every five seconds."""
    return _page("unavailable", language)


def _page(name: str, language: str, **values: str) -> bytes:
    template = templates(language).get_template(f"web/states/{name}.html")
    return template.render(style=Markup(_STYLE), language=language, request_id=request_id(), **values).encode()  # noqa: S704 - our own constant
