"""Errors as pages: the families of errors in people's words, for every path that is neither of the two APIs."""

from __future__ import annotations

import re
from urllib.parse import quote

import structlog
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from pilothouse.asgi.problems import status_of
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.request_ids import request_id
from pilothouse.asgi.texts import ENGLISH, catalogue
from pilothouse.base.errors import Conflict, Denied, NotAuthenticated, NotFound, PilothouseError, Unavailable
from pilothouse.content import service
from pilothouse.content.contract import ContentUnknown
from pilothouse.identity.models import User
from pilothouse.web.views import Action, Refusal

#: The page of one content, anywhere in a path.
ITEM = re.compile(r"/_/content/([0-9a-f-]{36})(?:/|$)")
log = structlog.get_logger(__name__)

TITLES: tuple[tuple[type[PilothouseError], str], ...] = (
    (Denied, "You may not do this"),
    (NotFound, "Nothing here"),
    (Conflict, "This has changed meanwhile"),
    (Unavailable, "One moment"),
    (PilothouseError, "That was not possible"),
)


def refusal(request: Request, error: PilothouseError) -> Response:
    """The page for an error that a page's door raised. Who is not signed in is asked to, and comes back afterwards."""
    base = frame(request).base
    if isinstance(error, NotAuthenticated):
        return _ask_to_sign_in(request, base)
    said = catalogue(frame(request).language).gettext
    title = said(next(words for family, words in TITLES if isinstance(error, family)))
    owner = _owner(request) if isinstance(error, Denied) else None
    actions, item = [], ITEM.search(request.url.path)
    if owner is not None and item is not None:
        words = said("Ask %(name)s") % {"name": owner.display_name}
        actions.append(Action(words, f"{base}/_/content/{item[1]}/questions"))
    if isinstance(error, ContentUnknown) and item is not None and not request.url.path.endswith("/ask"):
        actions.append(Action(said("Ask for access"), f"{base}/_/content/{item[1]}/ask"))
    if _came_from_here(request):
        actions.append(Action(said("Back"), request.headers["referer"]))
    actions.append(Action(said("Home"), f"{base}/"))
    facts = []
    if permission := str(error.facts.get("permission", "")):
        facts = [
            (said("What was tried"), request.url.path),
            (said("Which rule"), permission),
            (said("Who decides"), owner.display_name if owner else said("An administrator")),
        ]
    view = Refusal(
        title, _words(error, frame(request).language), actions, str(error.facts.get("detail", "")), request_id(), facts
    )
    return page(request, "web/refusal.html", status=status_of(error), view=view)


def _words(error: PilothouseError, language: str) -> str:
    """The error's sentence, without what the title says already. Where we have it in English only: that of its family."""
    said, words = catalogue(language).gettext, str(error)
    for _, title in TITLES:
        if words.startswith(f"{title}: "):
            words = words[len(title) + 2].upper() + words[len(title) + 3 :]
    if language == ENGLISH or said(words) != words:
        return said(words)
    return said(str(next(family for family, _ in TITLES if isinstance(error, family))()))


def _owner(request: Request) -> User | None:
    """Of the item whose page it is, if whoever asks may see it."""
    state, item = request.state, ITEM.search(request.url.path)
    if item is None:
        return None
    try:
        with request.app.state.database.read() as tx:
            content = service.get_content(tx, state.principal, state.stage, item[1])
            found: User | None = tx.get(User, content.owner_id)
            return found if found is not None and found.id != state.principal.id else None
    except PilothouseError:
        return None


def not_found(request: Request) -> Response:
    """For paths that lead nowhere."""
    return refusal(request, NotFound("There is no such page. Check the address."))


def mistake(request: Request, error: Exception) -> Response:
    """Our own fault: the log holds the cause, the page says so."""
    log.error("page failed", path=request.url.path, exc_info=error)
    said = catalogue(frame(request).language).gettext
    words = said("The server made a mistake. Its log holds the cause; tell an administrator when it happens again.")
    home = Action(said("Home"), f"{frame(request).base}/")
    view = Refusal(said("That went wrong"), words, [home], request_id=request_id())
    return page(request, "web/refusal.html", status=500, view=view)


def _ask_to_sign_in(request: Request, base: str) -> Response:
    asked = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        asked = f"{asked}?{request.url.query}"
    if "hx-request" in request.headers:
        asked = _path_of(request.headers.get("hx-current-url", "")) or f"{base}/"
    target = f"{base}/__login__?url={quote(asked, safe='/')}"
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, 303)


def _path_of(url: str) -> str:
    _, _, rest = url.partition("://")
    return f"/{rest.partition('/')[2]}" if rest else ""


def _came_from_here(request: Request) -> bool:
    host = request.headers.get("host", "")
    return bool(host) and request.headers.get("referer", "").partition("://")[2].startswith(f"{host}/")
