"""Pages: one Jinja setup for all rooms, the frame around every page, and the headers that keep pages safe.

Templates live in ``<room>/templates/<room>/``; those shared by all in ``asgi/templates``. They loop and print; what they
print is decided in the frozen view models that the rooms' ``pages`` make. Everything is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pilothouse.asgi import formats
from pilothouse.asgi.branding import OURS, Branding
from pilothouse.asgi.notices import Notice, notices
from pilothouse.asgi.places import ADMINISTRATION_PARTS, Place, places
from pilothouse.asgi.static_files import static_url
from pilothouse.asgi.texts import catalogue, chosen_language
from pilothouse.base.access import ANONYMOUS, Permission, Principal, may

PACKAGE = Path(__file__).parent.parent

#: htmx never evaluates text and adds no styles of its own: the page's policy would refuse both.
HTMX_CONFIG = json.dumps({"includeIndicatorCSS": False, "history": "reload"})


class StageLike(Protocol):
    """What the frame shows of a stage. ``path`` begins and ends with ``/``."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def content_host(self) -> str | None: ...


@dataclass(frozen=True)
class Badge:
    """A state as people see it: its word, and the tone that gives it shape and colour."""

    word: str
    tone: Literal["good", "busy", "cold", "bad", "off"]


@dataclass(frozen=True)
class Done:
    """What a change did, in one sentence, and the form that takes it back: where it is sent and with which fields."""

    words: str
    undo: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """What surrounds every page: who looks, at which stage, where one can go, and the token for changes."""

    caller: Principal
    stage: StageLike | None
    stages: Sequence[StageLike]
    places: Sequence[Place]
    path: str
    xsrf: str
    language: str
    brand: Branding = OURS
    notices: Sequence[Notice] = ()

    @property
    def base(self) -> str:
        """The stage's prefix without its last slash: put it before a path."""
        return self.stage.path.rstrip("/") if self.stage else ""

    @property
    def may_publish(self) -> bool:
        return may(self.caller, Permission.CONTENT_CREATE)

    @property
    def initials(self) -> str:
        parts = [p for p in self.caller.username.replace("-", ".").replace("_", ".").split(".") if p]
        return "".join(p[0] for p in parts[:2]) or "?"


def frame(request: Request) -> Frame:
    """The frame for one request, from what the app's middleware found out about it."""
    caller: Principal = getattr(request.state, "principal", None) or ANONYMOUS
    stages = getattr(request.app.state, "stages", None)
    return Frame(
        caller=caller,
        stage=getattr(request.state, "stage", None),
        stages=tuple(stages.all()) if stages is not None else (),
        places=places(caller),
        path=request.url.path,
        xsrf=getattr(request.state, "xsrf", None) or request.cookies.get("RSC-XSRF", ""),
        language=chosen_language(request.headers.get("accept-language", ""), wish=caller.language),
        brand=getattr(request.app.state, "branding", OURS),
        notices=notices(request) if caller.is_authenticated else (),
    )


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render ``template`` for this request: in its reader's language, inside the frame, with the page's security headers."""
    around = frame(request)
    html = templates(around.language).get_template(template).render(frame=around, **values)
    headers = {
        "Content-Security-Policy": policy(origins_beside(request)),
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Content-Language": around.language,
    }
    return HTMLResponse(html, status_code=status, headers=headers)


def origins_beside(request: Request) -> str:
    """The other origins that a page may show or lead to, as this visitor reaches them: the app hands in ``app.state.origins``."""
    state = request.app.state
    return str(state.origins.beside(request.headers.get("host", ""), state.stages.all()))


def policy(beside: str) -> str:
    """The Content-Security-Policy of the dashboard: our own files only, no inline code or style, and content in frames.

    ``beside`` names the origins of content, with spaces between them; empty when it shares our own.
    """
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",  # the base style sheet draws its check marks so
            "object-src 'none'",
            "base-uri 'none'",
            f"form-action 'self' {beside}".rstrip(),  # a sign-in may go on to an app: redirects count as well
            "frame-ancestors 'none'",
            f"frame-src 'self' {beside}".rstrip(),
        )
    )


def to(request: Request, path: str) -> Response:
    """Send the browser to a page of the same stage after a change (303)."""
    return RedirectResponse(frame(request).base + path, status_code=303)


def server_url(request: Request) -> str:
    """Base URL of this stage as clients are told it, without a slash at its end."""
    return str(request.app.state.origins.stage_url(frame(request).stage))


@cache
def templates(language: str) -> Environment:
    """The templates of all rooms, speaking one language."""
    environment = Environment(
        loader=FileSystemLoader(sorted(PACKAGE.glob("*/templates"))),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = catalogue(language)
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"static": static_url, "icon": icon, "htmx_config": HTMX_CONFIG}
    environment.globals["administration_parts"] = ADMINISTRATION_PARTS
    environment.filters |= {"size": formats.size, "duration": formats.duration, "exact": formats.exact}
    environment.filters["ago"] = lambda at: formats.ago(at, texts)
    environment.filters["clock"] = _clock
    return environment


@cache
def icon(name: str) -> Markup:
    """One of the icons of ``vendor/icons.svg``. Decoration only: it always stands beside a word."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
        static_url("vendor/icons.svg"), name
    )


def _clock(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}" if at else ""
