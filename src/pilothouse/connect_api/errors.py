"""Errors as the wire wants them: ``{"code": int, "error": text, "payload": null}`` on every path under ``/__api__``."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pilothouse.asgi.request_ids import request_id
from pilothouse.base.errors import Conflict, Denied, Invalid, NotAuthenticated, NotFound, PilothouseError, Unavailable

log = structlog.get_logger(__name__)

MALFORMED_ID = 3
NO_OBJECT = 4
NO_THUMBNAIL = 17
NO_PERMISSION = 22
BAD_CREDENTIALS = 30
DELETE_ACTIVE_BUNDLE = 75
NO_INTEGRATION = 212
INTERNAL = 100
INVALID = 101
CONFLICT = 102
UNAVAILABLE = 103

#: Family → HTTP status and wire code, nearest class first.
FAMILIES: dict[type[PilothouseError], tuple[int, int]] = {
    NotAuthenticated: (401, BAD_CREDENTIALS),
    Denied: (403, NO_PERMISSION),
    NotFound: (404, NO_OBJECT),
    Conflict: (409, CONFLICT),
    Invalid: (400, INVALID),
    Unavailable: (503, UNAVAILABLE),
    PilothouseError: (500, INTERNAL),
}

#: Errors whose wire code says more than their family does, by our own code.
SPECIAL: dict[str, int] = {
    "content/bundle-active": DELETE_ACTIVE_BUNDLE,
    "connect-api/no-thumbnail": NO_THUMBNAIL,
    "content/no-suitable-integration": NO_INTEGRATION,
}


class MalformedId(Invalid):
    """This is not a valid id."""

    code = "connect-api/malformed-id"


class BodyUnreadable(Invalid):
    """The body is not valid JSON. Correct it and send it again."""

    code = "connect-api/body-unreadable"


class NoEndpoint(NotFound):
    """There is no such endpoint here. Check the address and the method."""

    code = "connect-api/no-endpoint"


def answer(error: PilothouseError) -> JSONResponse:
    """The wire's form of one of our errors."""
    status, code = next(FAMILIES[c] for c in type(error).__mro__ if c in FAMILIES)
    if isinstance(error, MalformedId):
        code = MALFORMED_ID
    return _shape(status, SPECIAL.get(error.code, code), str(error))


def install(app: FastAPI) -> None:
    """Make every failure of ``app``, foreseen or not, leave it in the wire's shape."""
    app.add_exception_handler(PilothouseError, lambda request, error: answer(error))
    app.add_exception_handler(HTTPException, _routing)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _validation)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _unforeseen)


def _shape(status: int, code: int, error: str) -> JSONResponse:
    headers = {"Retry-After": "2"} if status == UNAVAILABLE_STATUS else None
    if status >= FAILED and (known := request_id()):
        error += f" (request {known})"  # the one text that clients print
    return JSONResponse({"code": code, "error": error, "payload": None}, status_code=status, headers=headers)


FAILED, UNAVAILABLE_STATUS = 500, 503


def _routing(request: Request, error: HTTPException) -> JSONResponse:
    if error.status_code in (404, 405):
        return _shape(
            404,
            NO_OBJECT,
            f"There is no endpoint {request.method} {request.url.path}. Check the address and the method.",
        )
    return _shape(error.status_code, INVALID, str(error.detail))


def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
    problems = "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:])}: {e['msg']}" for e in error.errors())
    return _shape(400, INVALID, f"The request is not valid: {problems}.")


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.url.path, exc_info=error)
    return _shape(500, INTERNAL, "The server made a mistake. Its log holds the cause; tell an administrator.")
