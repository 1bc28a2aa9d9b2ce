"""``/_/enter``: how somebody who is signed in on the dashboard is known on another host name, without signing in there.

Cookies belong to one host name. A browser that is to be known on another one goes this way, all of it in redirects and one
form that sends itself:

1. ``GET {origin}/_/enter?url=…`` keeps a secret in a cookie of that host name and goes to the dashboard's ``__login__`` with
   the secret's SHA-256, the *challenge*.
2. The dashboard asks for the sign-in if there is none yet, and answers with a form that posts a one-time code back.
3. ``POST {origin}/_/enter`` takes the code from the dashboard's own pages only, and from the browser that has the secret.

The code never stands in an address: an app that shares the origin could read that, where it makes its own server's answer
fail (too many cookies are enough), and use the code elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from pilothouse.asgi import xsrf
from pilothouse.asgi.context import Caller, ClientAddress, Db
from pilothouse.asgi.origins import ENTER, Origins, name_of
from pilothouse.asgi.rendering import frame
from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.base.errors import Denied, Invalid
from pilothouse.base.ids import new_token
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.pages.cookies import set_login
from pilothouse.identity.pages.paths import local_path

router = APIRouter()
CHALLENGE = re.compile(r"[0-9a-f]{64}")
#: As long as a sign-in on the way may take.
SECRET_LIFE_S = 600


class WrongWayIn(Invalid):
    """This address was made by hand, or for another server. Open what you wanted to open once more."""

    code = "identity/wrong-way-in"


@router.get(ENTER)
def begin(request: Request, caller: Caller, url: str = "") -> Response:
    """Go and ask the dashboard who this is; with a login here already, straight on."""
    towards = local_path(url) or "/"
    if caller.login:
        return _onward(towards)
    if not is_entered(request):
        return _onward(f"{frame(request).base}/__login__?{urlencode({'url': towards})}")
    secret = new_token(32)
    challenge = hashlib.sha256(secret.encode()).hexdigest()
    asked = {"to": name_of(request.headers.get("host", "")), "challenge": challenge, "url": towards}
    answer = _onward(f"{_origins(request).public_url}/__login__?{urlencode(asked)}")
    answer.set_cookie(
        _cookie(request) + challenge[:8], secret, max_age=SECRET_LIFE_S, path="/",
        secure=request.app.state.loaded.public_url.startswith("https:"), httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


@router.post(ENTER)
def enter(
    request: Request,
    db: Db,
    address: ClientAddress,
    code: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "",
) -> Response:
    """Begin the login of this host name, if the code came from the dashboard and the secret is in this browser."""
    towards, states = local_path(url) or "/", request.app.state.states
    if request.headers.get("origin") != _origins(request).home:
        raise xsrf.ForeignRequest
    held = {name: value for name, value in request.cookies.items() if name.startswith(_cookie(request))}
    host, agent = name_of(request.headers.get("host", "")), request.headers.get("user-agent", "")
    try:
        found = service.enter(db, code=code, host=host, secrets=list(held.values()), address=address, user_agent=agent)
    except Denied:
        again = f"{ENTER}?{urlencode({'url': towards})}"
        return Response(states.not_entered(again, language=frame(request).language), 400, dict(states.headers))
    answer = _onward(towards)
    set_login(answer, request, found, found.login.expires_at - clock.now())
    for name in held:
        answer.delete_cookie(name, path="/", secure=name.startswith("__"), httponly=True, samesite="lax")
    return answer


def hand_over(request: Request, db: Database, caller: Principal, *, to: str, challenge: str, towards: str) -> Response:
    """The form that sends a code to the host name ``to``. Raises `WrongWayIn` for one that is not ours.

    Only a page load gets it: no script can ask for a code. It may stand in frames of our own pages, where an app is on its way.
    """
    origins, stages = _origins(request), request.app.state.stages.all()
    if not origins.is_entered(to, stages) or not CHALLENGE.fullmatch(challenge) or is_entered(request):
        raise WrongWayIn
    if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
        raise xsrf.ForeignRequest
    with db.write() as tx:
        code = service.issue_code(tx, caller, host=name_of(to), challenge=challenge)
    target, states = origins.named(name_of(to)), request.app.state.states
    body = states.handover(f"{target}{ENTER}", code=code, towards=towards, language=frame(request).language)
    return HTMLResponse(body, headers=states.handing_over(origins.dashboards(stages)))


def is_entered(request: Request) -> bool:
    """Whether the host name of this request gets its logins from the dashboard."""
    return _origins(request).is_entered(request.headers.get("host", ""), request.app.state.stages.all())


def _onward(to: str) -> RedirectResponse:
    return RedirectResponse(to, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _origins(request: Request) -> Origins:
    return cast(Origins, request.app.state.origins)


def _cookie(request: Request) -> str:
    """The beginning of the names of the cookies with secrets: one for each way that was begun, so that none disturbs another."""
    return str(request.app.state.resolver.cookie).replace("ph_login_", "ph_enter_") + "_"
