"""The first thing a request meets: did it come through the gateway, which stage, who, and may a cookie do this (SECURITY 2, 9)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pilothouse.asgi import checksums, xsrf
from pilothouse.asgi.checksums import BodyDamaged
from pilothouse.asgi.origins import ENTER
from pilothouse.asgi.request_ids import request_id
from pilothouse.asgi.texts import chosen_language
from pilothouse.base.access import ANONYMOUS, Principal
from pilothouse.base.errors import NotAuthenticated, Unavailable
from pilothouse.gateway import headers as h
from pilothouse.identity.contract import InvalidKey, InvalidSignature
from pilothouse.identity.service import RequestLine, Resolver
from pilothouse.stages import StageRef, Stages
from pilothouse.web.states import StatePages

App = Callable[[Any, Any, Any], Awaitable[None]]
FORM = "application/x-www-form-urlencoded"
FORM_LIMIT = 256 * 1024
#: Unsafe requests that come before a login; they check the origin themselves.
BEFORE_LOGIN = frozenset({"/__login__", "/__api__/__login__", ENTER})

#: Nobody reads a body of theirs; clients that follow a redirect send the old one, and what streams would notice at its end only.
WITHOUT_BODY = frozenset({"GET", "HEAD"})


class Front:
    """Routes to the door, the page application, the protocol and the dashboard.

    ``open_to_all`` are paths that are answered whoever asks, also when it did not come through the gateway. ``public_url`` may
    hold a path that a proxy cuts off: clients sign it as well.
    """

    def __init__(  # noqa: PLR0913 - what it leads to
        self, *, secret: str, stages: Stages, resolver: Resolver, xsrf_key: bytes, door: App, pages: App, protocol: App, dashboard: App,
        open_to_all: Mapping[str, App], metrics: App, states: StatePages, public_url: str = "",
    ) -> None:  # fmt: skip
        self._secret, self._stages, self._resolver, self._xsrf_key = secret.encode(), stages, resolver, xsrf_key
        self._door, self._pages, self._protocol, self._dashboard = door, pages, protocol, dashboard
        self._open_to_all, self._metrics, self._states = open_to_all, metrics, states
        self._outside = urlsplit(public_url).path.rstrip("/")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await _close(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        if path.startswith(h.DOOR_PREFIX):
            await self._door(scope, receive, send)
            return
        is_ours = hmac.compare_digest(headers.get(h.SECRET, "").encode(), self._secret)
        if path == "/__ping__":
            await _json(send, 200, {})
        elif path in self._open_to_all:
            await self._open_to_all[path](scope, receive, send)
        elif not is_ours:
            await _json(send, 421, {"code": 101, "error": "Requests come through the gateway only.", "payload": None})
        elif path == "/metrics":
            await self._metrics(scope, receive, send)
        elif path.startswith(h.PAGE_PREFIX):
            await self._pages(scope, receive, send)
        else:
            await self._dashboard_origin(scope, receive, send, headers)

    async def _dashboard_origin(
        self, scope: MutableMapping[str, Any], receive: Any, send: Any, headers: dict[str, str]
    ) -> None:
        stage, rest = self._stages.resolve(headers.get("host", ""), scope["path"])
        is_protocol = rest == "/__api__" or rest.startswith("/__api__/")
        if rest != ENTER and headers.get(h.ORIGIN, "dashboard") != "dashboard":
            await _refuse(send, 404, 4, "There is nothing at this address.", is_protocol=is_protocol)
            return
        try:
            principal = (
                ANONYMOUS
                if "connect-bootstrap" in headers.get("authorization", "").lower()
                else _of_stage(self._resolver.resolve(headers, self._line(scope, stage)), stage)
            )
        except NotAuthenticated as error:
            await _refuse(send, 401, 30, str(error), is_protocol=is_protocol)
            return
        except Unavailable as error:
            if is_protocol or rest == "/api" or rest.startswith("/api/"):
                await _refuse(send, 503, 103, str(error), is_protocol=is_protocol)
            else:
                await self._unavailable(send, headers)
            return
        if principal.login is not None and rest not in BEFORE_LOGIN:
            try:
                receive = await self._checked(scope, receive, headers, principal)
            except xsrf.ForeignRequest as error:
                await _refuse(send, 403, 22, str(error), is_protocol=is_protocol)
                return
        if (stated := headers.get(checksums.HEADER)) is not None and scope["method"] not in WITHOUT_BODY:
            receive = checksums.compared(receive, stated, BodyDamaged if principal.token is None else InvalidSignature)
        root = stage.path.rstrip("/")
        state = dict(
            scope.get("state") or {},
            principal=principal,
            stage=stage,
            client=headers.get(h.CLIENT, ""),
            xsrf=self._token(principal),
        )
        inner = {**scope, "state": state, "root_path": root + ("/__api__" if is_protocol else "")}
        await (self._protocol if is_protocol else self._dashboard)(inner, receive, send)

    def _line(self, scope: MutableMapping[str, Any], stage: StageRef) -> RequestLine:
        raw = scope.get("raw_path") or scope["path"].encode()
        return RequestLine(scope["method"], raw.decode("latin-1").partition("?")[0], stage.path, self._outside)

    async def _unavailable(self, send: Any, headers: Mapping[str, str]) -> None:
        body = self._states.unavailable(language=chosen_language(headers.get("accept-language", "")))
        fields = [(name.lower().encode(), value.encode()) for name, value in self._states.headers.items()]
        fields.append((b"retry-after", b"5"))
        await send({"type": "http.response.start", "status": 503, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    def _token(self, principal: Principal) -> str:
        return xsrf.token(self._xsrf_key, principal.login) if principal.login else ""

    async def _checked(
        self, scope: MutableMapping[str, Any], receive: Any, headers: dict[str, str], principal: Principal
    ) -> Any:
        """Raise `ForeignRequest` for an unsafe request without our token. A form's body is read for it and given on."""
        if scope["method"] in xsrf.SAFE:
            return receive
        given = headers.get(xsrf.HEADER)
        if given is None and headers.get("content-type", "").startswith(FORM):
            body = await _body(receive)
            given = parse_qs(body.decode("latin-1")).get(xsrf.FIELD, [None])[0]
            receive = _replay(body, receive)
        own = {f"{scheme}://{headers.get('host', '')}" for scheme in ("http", "https")}
        xsrf.check(
            scope["method"], origin=headers.get("origin"), own_origins=own, given=given, expected=self._token(principal)
        )
        return receive


def _of_stage(principal: Principal, stage: StageRef) -> Principal:
    """Raise `InvalidKey` for a key or token that was given for another stage."""
    if principal.stage_id is not None and principal.stage_id != stage.id:
        raise InvalidKey("The key is for another stage of this server. Sign in to this one.")
    return principal


async def _body(receive: Any) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body") or size > FORM_LIMIT:
            return b"".join(parts)


def _replay(body: bytes, receive: Any) -> Any:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return messages.pop() if messages else await receive()

    return again


async def _close(scope: Any, receive: Any, send: Any) -> None:
    """WebSockets lead to jobs, never to us. The lifespan is the server's own business."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})


async def _refuse(send: Any, status: int, code: int, sentence: str, *, is_protocol: bool) -> None:
    if is_protocol:
        await _json(send, status, {"code": code, "error": sentence, "payload": None})
    else:
        document = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": "app/refused",
            "detail": sentence,
            "request_id": request_id(),
        }
        await _json(send, status, document, content_type="application/problem+json")


async def _json(send: Any, status: int, document: object, content_type: str = "application/json") -> None:
    body = json.dumps(document).encode()
    fields = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
