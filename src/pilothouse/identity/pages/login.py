"""``/__login__`` and signing out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from pilothouse.asgi import xsrf
from pilothouse.asgi.context import ClientAddress, Db
from pilothouse.asgi.patience import apart
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.texts import Catalogue, catalogue
from pilothouse.base.access import ANONYMOUS
from pilothouse.base.errors import Denied
from pilothouse.identity import service
from pilothouse.identity.contract import Rules, TooManyFailures
from pilothouse.identity.pages.views import LoginView

router = APIRouter()


def local_path(url: str) -> str:
    """``url`` if it is a path of this server, else nothing: a sign-in never sends anybody elsewhere."""
    parts = urlsplit(url)
    is_path = url.startswith("/") and not parts.scheme and not parts.netloc and url[1:2] not in ("/", "\\")
    return url if is_path and url.isprintable() and "\\" not in url else ""


@router.get("/__login__")
def show_login(request: Request, url: str = "") -> Response:
    towards = local_path(url)
    if getattr(request.state, "principal", ANONYMOUS).is_authenticated:
        return RedirectResponse(towards or f"{frame(request).base}/", 303)
    return page(request, "identity/login.html", view=LoginView(towards))


@router.post("/__login__")
async def sign_in(
    request: Request,
    db: Db,
    address: ClientAddress,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "",
) -> Response:
    """Begin a login and go on; what was typed stays when it is wrong. A pause is waited out here, where it holds no thread."""
    _refuse_foreign(request)
    towards, rules = local_path(url), getattr(request.app.state, "identity_rules", None) or Rules()
    agent = request.headers.get("user-agent", "")
    try:
        leave = await apart(partial(service.attempt, db, username=username.strip(), address=address, rules=rules))
        await asyncio.sleep(leave.pause.total_seconds())
        found = await apart(partial(service.sign_in, db, leave, password=password, user_agent=agent, rules=rules))
    except Denied as error:
        view = LoginView(towards, username, _words(error, catalogue(frame(request).language)))
        return page(request, "identity/login.html", status=401, view=view)
    answer = RedirectResponse(towards or f"{frame(request).base}/", 303)
    set_login(answer, request, found, rules.login_lifetime)
    return answer


@router.post("/_/sign-out")
def sign_out(request: Request, db: Db) -> Response:
    """End this login; the browser forgets its cookies."""
    caller = getattr(request.state, "principal", ANONYMOUS)
    if caller.login:
        with db.write() as tx:
            service.end_login(tx, caller, service.get_login(tx, caller.login))
    target = f"{frame(request).base}/__login__"
    answer = Response(status_code=204, headers={"HX-Redirect": target})
    if "hx-request" not in request.headers:
        answer = RedirectResponse(target, 303)
    for name in (request.app.state.resolver.cookie, xsrf.COOKIE):
        answer.delete_cookie(name, path="/")
    return answer


def set_login(answer: Response, request: Request, found: service.SignedIn, lifetime: timedelta) -> None:
    """Put a new login's two cookies on ``answer``: its secret, and the token that our pages send with every change."""
    state, age = request.app.state, int(lifetime.total_seconds())
    secure = state.loaded.public_url.startswith("https:")
    answer.set_cookie(
        state.resolver.cookie, found.cookie, max_age=age, path="/", secure=secure, httponly=True, samesite="lax"
    )
    token = xsrf.token(state.xsrf_key, found.login.id)
    answer.set_cookie(xsrf.COOKIE, token, max_age=age, path="/", secure=secure, samesite="lax")


def _words(error: Denied, texts: Catalogue) -> str:
    """Why it was refused, in the reader's language."""
    if not isinstance(error, TooManyFailures):
        return texts.gettext(str(error))
    return texts.gettext("Too many failed sign-ins. Wait %(count)s seconds and try again.") % {
        "count": error.facts["wait_s"]
    }


def _refuse_foreign(request: Request) -> None:
    """Another site may not sign a visitor in: there is no cookie yet, so only the origin can tell."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise xsrf.ForeignRequest
