"""Pages that the gateway's door shows in place of an app: it starts, it failed, it is not there, it is not yours.

They go out on the content origin, beside people's own code: one file each, nothing loaded, one style and one script allowed
by their hashes. Viewers read plain words; reasons and logs are for people who may change the item.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup

from pilothouse.asgi.branding import accents
from pilothouse.asgi.formats import duration
from pilothouse.asgi.rendering import templates
from pilothouse.asgi.request_ids import request_id
from pilothouse.asgi.static_files import WAIT_SCRIPT
from pilothouse.asgi.texts import ENGLISH
from pilothouse.settings.branding import Web

_STYLE = (Path(__file__).parent / "states.css").read_text(encoding="utf-8")
#: A larger picture of the company is left out: it would be sent with each look at the page.
LOGO_LIMIT = 24 * 1024
#: The form that takes somebody to another origin sends itself.
SEND_SCRIPT = "document.forms[0].submit()"

NOTHING: Mapping[str, float] = MappingProxyType({})


class StatePages:
    """These pages in the look of one installation. Send them with `headers`."""

    def __init__(self, look: Web) -> None:
        self._title, self._style = look.title, Markup(_STYLE + _accent(look))  # noqa: S704 - our own file, checked colours
        self._logo = _picture(look.logo)
        allowed = f"style-src {_hash(self._style)}; script-src {_hash(WAIT_SCRIPT)}; connect-src 'self'"
        policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
        self.headers: Mapping[str, str] = MappingProxyType(
            {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": f"{policy}; img-src data:" if self._logo else policy,
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )

    def starting(self, title: str, phases: Mapping[str, float] = NOTHING, *, language: str = ENGLISH) -> bytes:
        """A worker starts; the page looks again every two seconds. ``phases`` are seconds: ``queued``, then ``starting``, and
        what that takes ``usual``-ly; what has not begun, or is not known, is left out.
        """
        spans = {phase: duration(timedelta(seconds=int(seconds))) for phase, seconds in phases.items()}
        known = {phase: spans.get(phase, "") for phase in ("queued", "starting", "usual")}
        return self._page("starting", language, wait_s=2, title=title, **known)

    def busy(self, title: str, *, language: str = ENGLISH) -> bytes:
        """All places are taken; the page looks again every five seconds."""
        return self._page("busy", language, wait_s=5, title=title)

    def failed(self, title: str, *, reason: str = "", log_url: str = "", language: str = ENGLISH) -> bytes:
        """It could not be started. ``reason`` and ``log_url`` only for people who may change it."""
        return self._page("failed", language, title=title, reason=reason, log_url=log_url)

    def not_found(self, *, home_url: str = "/", language: str = ENGLISH) -> bytes:
        """Nothing is at this address."""
        return self._page("not_found", language, home_url=home_url)

    def denied(self, *, owner: str = "", ask_url: str = "", home_url: str = "/", language: str = ENGLISH) -> bytes:
        """Signed in, but not among those who may open it. ``owner`` is whom to ask, ``ask_url`` how (``mailto:``).

        Not even the name of the thing is told.
        """
        return self._page("denied", language, owner=owner, ask_url=ask_url, home_url=home_url)

    def locked(self, title: str, message: str, *, language: str = ENGLISH) -> bytes:
        """Its owner closed it for a while; ``message`` is what they say to visitors, plain text, and may be empty."""
        return self._page("locked", language, title=title, message=message)

    def unavailable(self, *, language: str = ENGLISH) -> bytes:
        """The server, or the app, does not answer right now; the page looks again every five seconds."""
        return self._page("unavailable", language, wait_s=5)

    def not_entered(self, again_url: str, *, language: str = ENGLISH) -> bytes:
        """The code with which somebody comes from the dashboard to another origin was no good; ``again_url`` begins anew."""
        return self._page("not_entered", language, again_url=again_url)

    def handover(self, action: str, *, code: str, towards: str, language: str = ENGLISH) -> bytes:
        """A form with a one-time code that sends itself to ``action``, on another origin. Send it with `handing_over`."""
        script = Markup(SEND_SCRIPT)  # noqa: S704 - our own text
        return self._page("handover", language, action=action, code=code, towards=towards, script=script)

    def handing_over(self, framed_by: Iterable[str]) -> Mapping[str, str]:
        """The headers of `handover`. What it leads to is not bounded here: browsers count an app's own redirects as part of it.

        It tells its origin, by which the other side knows us, and may stand in frames of these origins.
        """
        allowed = f"style-src {_hash(self._style)}; script-src {_hash(SEND_SCRIPT)}; img-src data:"
        policy = f"default-src 'none'; {allowed}; base-uri 'none'; frame-ancestors {' '.join(framed_by)}"
        return {**self.headers, "Content-Security-Policy": policy, "Referrer-Policy": "strict-origin"}

    def _page(self, name: str, language: str, *, wait_s: int = 0, **values: str) -> bytes:
        """With ``wait_s`` it looks again every so many seconds."""
        template = templates(language).get_template(f"web/states/{name}.html")
        look = {"brand": self._title, "logo": self._logo, "style": self._style, "script": Markup(WAIT_SCRIPT)}  # noqa: S704 - our own file
        return template.render(language=language, request_id=request_id(), wait_s=wait_s, **(look | values)).encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _accent(look: Web) -> str:
    """The company's accent, for both looks of a browser."""
    found = accents(look)
    light = f":root{{--accent:{found.light};--mark:{found.light}}}" if found.light else ""
    dark = f"@media(prefers-color-scheme:dark){{:root{{--mark:{found.dark}}}}}" if found.dark else ""
    return light + dark


def _picture(logo: Path | None) -> str:
    """As an address that holds the picture itself; empty without one."""
    image = logo.read_bytes() if logo is not None else b""
    if logo is None or len(image) > LOGO_LIMIT:
        return ""
    return f"data:{mimetypes.guess_type(logo.name)[0]};base64,{base64.b64encode(image).decode()}"
