"""The two cookies of a login: its secret, and the token that our pages send with every change."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request, Response

from pilothouse.asgi import xsrf
from pilothouse.identity import service


def set_login(answer: Response, request: Request, found: service.SignedIn, lifetime: timedelta) -> None:
    """Put them on ``answer``, for this host name only."""
    state, age = request.app.state, int(lifetime.total_seconds())
    secure = state.loaded.public_url.startswith("https:")
    answer.set_cookie(
        state.resolver.cookie, found.cookie, max_age=age, path="/", secure=secure, httponly=True, samesite="lax"
    )
    token = xsrf.token(state.xsrf_key, found.login.id)
    answer.set_cookie(xsrf.COOKIE, token, max_age=age, path="/", secure=secure, samesite="lax")


def forget_login(answer: Response, request: Request) -> None:
    """Take them back. A browser lets ``__Host-`` cookies go only where the attributes fit."""
    secure = request.app.state.loaded.public_url.startswith("https:")
    for name in (request.app.state.resolver.cookie, xsrf.COOKIE):
        answer.delete_cookie(name, path="/", secure=secure, samesite="lax")
