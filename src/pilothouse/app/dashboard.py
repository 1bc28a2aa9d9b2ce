"""The dashboard and our own API as one FastAPI application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import select
from starlette.exceptions import HTTPException

from pilothouse.app import personal
from pilothouse.app.house import House
from pilothouse.app.owner import why_root
from pilothouse.asgi import problems, static_files
from pilothouse.asgi.branding import branding
from pilothouse.audit import api as audit_api
from pilothouse.audit import pages as audit_pages
from pilothouse.audit.contract import People
from pilothouse.base.errors import Invalid, PilothouseError
from pilothouse.base.ids import derived_token
from pilothouse.connect_api import oauth_server
from pilothouse.content import pages as content_pages
from pilothouse.content.service.vanity import VanityPaths
from pilothouse.db import Tx
from pilothouse.identity import api as identity_api
from pilothouse.identity import pages as identity_pages
from pilothouse.identity.models import User
from pilothouse.identity.service import find_user
from pilothouse.integrations import pages as integration_pages
from pilothouse.integrations.service import States
from pilothouse.web import pages as web_pages
from pilothouse.web import refusals
from pilothouse.web import service as web_service
from pilothouse.web.states import StatePages


class FormInvalid(Invalid):
    """The form is not complete. Go back and fill it in."""

    code = "app/form-invalid"


def dashboard(house: House) -> FastAPI:
    """Pages and ``/api/v1``. Errors are problems below ``/api`` and pages elsewhere: chosen by path, never by Accept."""
    app = FastAPI(
        title="Pilothouse", version="1", openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        description="The API of a Pilothouse installation. Errors are RFC 9457 problems.",
    )  # fmt: skip
    state = app.state
    state.database, state.loaded, state.launcher, state.blobs = (
        house.database,
        house.loaded,
        house.launcher,
        house.blobs,
    )
    state.stages, state.secrets, state.resolver, state.xsrf_key = (
        house.stages,
        house.secrets,
        house.resolver,
        house.xsrf_key,
    )
    state.custodian = house.engines.custodian
    state.oauth_tools, state.oauth_states = (
        house.oauth_tools,
        States(derived_token(house.xsrf_key, "states of sign-ins").encode()),
    )
    state.guid_at = VanityPaths(house.database, house.watch).guid
    state.why_root = partial(why_root, house.loaded)
    state.identity_rules, state.people = house.rules, People(_names, _find)
    state.exchange = house.exchange
    state.origins, state.branding = house.origins, branding(house.loaded.settings.web)
    state.states = StatePages(house.loaded.settings.web)
    state.notices = web_service.Board(house.database, house.watch).shown
    for part in (
        static_files,
        identity_api,
        audit_api,
        personal,
        oauth_server,
        identity_pages,
        content_pages,
        integration_pages,
        audit_pages,
        web_pages,
    ):
        app.include_router(part.router)
    _errors(app)
    return app


def _errors(app: FastAPI) -> None:
    problems.install(app)
    api = {
        kind: app.exception_handlers[kind]
        for kind in (PilothouseError, HTTPException, RequestValidationError, Exception)
    }

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, PilothouseError)
        if _is_api(request):
            return await _call(api[PilothouseError], request, error)
        return refusals.refusal(request, error)

    async def routing(request: Request, error: Exception) -> Response:
        return await _call(api[HTTPException], request, error) if _is_api(request) else refusals.not_found(request)

    async def validation(request: Request, error: Exception) -> Response:
        if _is_api(request):
            return await _call(api[RequestValidationError], request, error)
        return refusals.refusal(request, FormInvalid())

    async def mistake(request: Request, error: Exception) -> Response:
        return await _call(api[Exception], request, error) if _is_api(request) else refusals.mistake(request, error)

    for kind, handler in (
        (PilothouseError, ours),
        (HTTPException, routing),
        (RequestValidationError, validation),
        (Exception, mistake),
    ):
        app.add_exception_handler(kind, handler)


async def _call(handler: object, request: Request, error: Exception) -> Response:
    found = handler(request, error)  # type: ignore[operator]
    return found if isinstance(found, Response) else await found


def _is_api(request: Request) -> bool:
    """Whether programs ask there. Of the paths for signing programs in, one is a page."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if path == "/oauth/v1/authorize":
        return False
    return path == "/api" or path.startswith(("/api/", "/oauth/", "/.well-known/"))


def _names(tx: Tx, ids: Sequence[int]) -> Mapping[int, str]:
    return dict(tx.execute(select(User.id, User.username).where(User.id.in_(set(ids)))).all())


def _find(tx: Tx, username: str) -> int | None:
    user = find_user(tx, username)
    return user.id if user else None
