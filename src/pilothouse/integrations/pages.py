"""The browser's way to another service and back: ``/__oauth__/integrations/{guid}/login`` and ``…/callback``.

Apps send their visitors to the first address; administrators give the second one to the other service.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.origins import name_of
from pilothouse.asgi.rendering import page
from pilothouse.base.access import Principal
from pilothouse.base.errors import NotAuthenticated
from pilothouse.identity.pages.paths import local_path
from pilothouse.integrations import service
from pilothouse.integrations.contract import (
    AuthType,
    IntegrationInvalid,
    LoginAtProviderInvalid,
    ProviderRefused,
)
from pilothouse.integrations.service import Begun, States, Tools

router = APIRouter(prefix="/__oauth__/integrations")
CALLBACK = "/__oauth__/integrations/callback"
ITEM = re.compile(r"(?:/[A-Za-z0-9._-]+)*/content/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
LONGEST = 1000


def _in_browser(caller: SignedIn) -> Principal:
    """A person with a login: a key can't let anybody act as its owner."""
    if caller.login is None or caller.bound_to is not None:
        raise NotAuthenticated("Open this address in a browser, signed in.")
    return caller


Visitor = Annotated[Principal, Depends(_in_browser)]


@router.get("/callback")
def come_back(request: Request, visitor: Visitor, db: Db, code: str = "", state: str = "", error: str = "") -> Response:
    """The other service sends its visitor here with a code; we exchange it and go on to where they came from."""
    login, tools = visitor.login or "", _tools(request)
    begun = _states(request).read(state, login=login)
    if error or not code:
        raise ProviderRefused("The other service did not let you in, or you said no there. Begin again from the app.")
    with db.read() as tx:
        integration = service.integration_of(tx, begun.integration)
        terms = service.terms_of(tools.secrets, integration)
    if terms.auth_type is not AuthType.VIEWER:
        raise LoginAtProviderInvalid
    verifier = _states(request).verifier(state)
    tokens = service.tokens_for_code(
        tools.outbound, terms, code=code, redirect_uri=callback_address(request), verifier=verifier
    )
    with db.write() as tx:
        live = service.integration_of(tx, begun.integration)
        service.begin_delegation(tx, visitor, live, tokens=tokens, secrets=tools.secrets)
    if opened := _opened(request, begun.towards):
        return RedirectResponse(opened, 303)
    return page(request, "integrations/signed_in.html", name=integration.name)


@router.get("/{guid}/login")
def go_there(guid: str, request: Request, visitor: Visitor, db: Db, redirect: str = "") -> Response:
    """The page from which the visitor goes to the other service. ``redirect``: the path of the content they came from, or its address."""
    if (home := _at_home(request)) is not None:
        return RedirectResponse(home, 303)
    tools = _tools(request)
    with db.read() as tx:
        integration = service.integration_of(tx, guid)
        terms = service.terms_of(tools.secrets, integration)
    if terms.auth_type is not AuthType.VIEWER:
        raise IntegrationInvalid("Nobody signs in at this integration: content acts there by itself, or here.")
    towards = redirect or request.headers.get("referer", "")
    begun = Begun(integration.guid, _path_of_content(request, towards))
    state = _states(request).begin(begun, login=visitor.login or "")
    verifier = _states(request).verifier(state)
    address = service.sign_in_address(terms, redirect_uri=callback_address(request), state=state, verifier=verifier)
    return page(
        request, "integrations/leave.html", name=integration.name, host=urlsplit(address).hostname, address=address
    )


def callback_address(request: Request) -> str:
    """One address for all stages: the administrator has given it to the other service."""
    state = request.app.state
    return f"{state.loaded.public_url}{state.stages.all()[0].path.rstrip('/')}{CALLBACK}"


def _at_home(request: Request) -> str | None:
    """The same address on the host name that the other service sends people back to: logins belong to one name."""
    home = urlsplit(callback_address(request))
    if name_of(request.headers.get("host", "")) == name_of(home.netloc):
        return None
    return urlunsplit((home.scheme, home.netloc, request.url.path, request.url.query, ""))


def _path_of_content(request: Request, towards: str) -> str:
    """The path of an item's page; nothing for any other place, so that nobody is led elsewhere."""
    try:
        parts = urlsplit(towards)
    except ValueError:
        return ""
    path = local_path(urlunsplit(("", "", parts.path, parts.query, "")))
    if not path.isascii() or len(path) > LONGEST or (opened := _opened(request, path)) is None:
        return ""
    is_ours = not parts.netloc or f"{parts.scheme}://{parts.netloc}" == "{0.scheme}://{0.netloc}".format(
        urlsplit(opened)
    )
    return path if is_ours and parts.scheme in ("", "http", "https") else ""


def _opened(request: Request, path: str) -> str | None:
    """The address under which this visitor meets the page; ``None`` for what is no page of content."""
    state, host = request.app.state, request.headers.get("host", "")
    stage, rest = state.stages.resolve(host, path)
    found = ITEM.match(path)
    guid = found[1] if found else state.guid_at(stage.id, urlsplit(rest).path)
    return str(state.origins.opened(host, stage, guid, path)) if guid else None


def _states(request: Request) -> States:
    found: States = request.app.state.oauth_states
    return found


def _tools(request: Request) -> Tools:
    found: Tools = request.app.state.oauth_tools
    return found
