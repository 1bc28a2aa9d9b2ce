"""A request's id: the one in the gateway's log, on every line logged while it is answered, and on error pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars

from pilothouse.base.ids import is_guid, new_guid

log = structlog.get_logger(__name__)
App = Callable[[Any, Any, Any], Awaitable[None]]
FIELD = "request_id"
FAILED = 500


def request_id() -> str:
    """Of the request that is being answered, also in the threads of its endpoint; empty outside of one."""
    return str(get_contextvars().get(FIELD, ""))


class RequestIds:
    """Gives each request the id that the gateway states in ``header``; one that came another way gets a new id.

    Answers of status 500 and above are logged, but not those below the paths ``quiet``, where they are the usual answer.
    """

    def __init__(self, app: App, *, header: str, quiet: tuple[str, ...] = ()) -> None:
        self._app, self._header, self._quiet = app, header.encode(), quiet

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = next((value.decode("latin-1") for name, value in scope["headers"] if name == self._header), "")
        heard = send if scope["path"].startswith(self._quiet) else _failures_logged(scope, send)
        with bound_contextvars(**{FIELD: stated if is_guid(stated) else new_guid()}):
            await self._app(scope, receive, heard)


def _failures_logged(scope: Any, send: Any) -> Any:
    async def logged(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] >= FAILED:
            log.warning("a request failed", method=scope["method"], path=scope["path"], status=message["status"])
        await send(message)

    return logged
