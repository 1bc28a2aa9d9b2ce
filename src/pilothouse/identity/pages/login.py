"""``/__login__`` and signing out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from pilothouse.asgi import xsrf
from pilothouse.asgi.context import ClientAddress, Db
from pilothouse.asgi.origins import ENTER
from pilothouse.asgi.patience import apart
from pilothouse.asgi.rendering import frame, page
from pilothouse.asgi.texts import Catalogue, catalogue
from pilothouse.base.access import ANONYMOUS, Principal
from pilothouse.base.errors import Denied
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.contract import Rules, TooManyFailures
from pilothouse.identity.pages import enter
from pilothouse.identity.pages.cookies import forget_login, set_login
from pilothouse.identity.pages.paths import local_path
from pilothouse.identity.pages.views import LoginView

router = APIRouter()


@router.get("/__login__")
def show_login(request: Request, db: Db, url: str = "", to: str = "", challenge: str = "") -> Response:
    """The form. Who is signed in goes on: to ``url``, or with a code to the host name ``to`` (see ``enter``)."""
    towards, caller = local_path(url), getattr(request.state, "principal", ANONYMOUS)
    if caller.is_authenticated and to:
        return enter.hand_over(request, db, caller, to=to, challenge=challenge, towards=towards)
    if caller.is_authenticated:
        return RedirectResponse(towards or f"{frame(request).base}/", 303)
    if enter.is_entered(request):
        return RedirectResponse(f"{ENTER}?{urlencode({'url': towards or f'{frame(request).base}/'})}", 303)
    if to:
        towards = f"{request.url.path}?{request.url.query}"
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
    await apart(partial(_leave, db, getattr(request.state, "principal", ANONYMOUS)))
    answer = RedirectResponse(towards or f"{frame(request).base}/", 303)
    set_login(answer, request, found, rules.login_lifetime)
    return answer


@router.post("/_/sign-out")
def sign_out(request: Request, db: Db) -> Response:
    """End this login, on all host names; the browser forgets its cookies."""
    _leave(db, getattr(request.state, "principal", ANONYMOUS))
    target = f"{frame(request).base}/__login__"
    answer = Response(status_code=204, headers={"HX-Redirect": target})
    if "hx-request" not in request.headers:
        answer = RedirectResponse(target, 303)
    forget_login(answer, request)
    return answer


def _leave(db: Database, caller: Principal) -> None:
    """End the login that a browser came with: nobody else's may go on under other host names once it signs in anew."""
    if caller.login:
        with db.write() as tx, suppress(service.LoginUnknown):
            service.end_login(tx, caller, service.get_login(tx, caller.login))


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
