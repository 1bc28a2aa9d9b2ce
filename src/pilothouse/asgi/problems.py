"""Errors of our own API as RFC 9457 problems: the one place where the families of errors meet HTTP statuses."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pilothouse.asgi.request_ids import request_id
from pilothouse.base.errors import Conflict, Denied, Invalid, NotAuthenticated, NotFound, PilothouseError, Unavailable

log = structlog.get_logger(__name__)

STATUS: dict[type[PilothouseError], int] = {
    NotAuthenticated: 401,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Unavailable: 503,
    PilothouseError: 500,
}


def status_of(error: PilothouseError) -> int:
    """The HTTP status of an error's family."""
    return next(STATUS[c] for c in type(error).__mro__ if c in STATUS)


def problem(status: int, code: str, detail: str, **facts: object) -> JSONResponse:
    """An answer of type ``application/problem+json``. Failures of ours carry the id by which the logs know the request."""
    document = {
        "type": f"urn:pilothouse:{code.replace('/', ':')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        document["request_id"] = request_id()
    headers = {"Retry-After": "2"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(
        jsonable_encoder(document | facts), status_code=status, media_type="application/problem+json", headers=headers
    )


def install(app: FastAPI) -> None:
    """Give every failure of ``app`` this form."""
    app.add_exception_handler(PilothouseError, _ours)
    app.add_exception_handler(HTTPException, _routing)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unforeseen)


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, PilothouseError)
    return problem(status_of(error), error.code, str(error), **error.facts)


def _routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        return problem(
            404,
            "asgi/no-endpoint",
            f"There is no endpoint {request.method} {request.url.path}. Check the address and the method.",
        )
    return problem(error.status_code, "asgi/http", str(error.detail))


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [{"field": ".".join(str(p) for p in e["loc"][1:]), "message": e["msg"]} for e in error.errors()]
    sentence = "; ".join(f"{f['field'] or 'body'}: {f['message']}" for f in fields)
    return problem(422, "asgi/validation", f"The request is not valid: {sentence}.", fields=fields)


def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, exc_info=error)
    return problem(500, "asgi/internal", "The server made a mistake. Its log holds the cause; tell an administrator.")
