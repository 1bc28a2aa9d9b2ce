"""How a command reaches an installation: over HTTP with a key, or, for the owner on the server's machine, by its home.

Both speak the same API (``/api/v1``); with ``--home`` the application runs inside the command, as the system principal.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

import httpx

from pilothouse.base.errors import Invalid, PilothouseError, Unavailable
from pilothouse.cli.options import home_or_default


class NoServerNamed(Invalid):
    """Say which installation: --server URL with --api-key KEY (or CONNECT_SERVER and CONNECT_API_KEY), or --home DIR on its machine."""

    code = "cli/no-server-named"


class ServerUnreachable(Unavailable):
    """The server does not answer. Check its address, and that it runs."""

    code = "cli/server-unreachable"


class Refused(PilothouseError):
    """The server refused the request."""

    code = "cli/refused"


class Reach:
    """Calls ``/api/v1`` of one installation. Raises `ServerUnreachable`, or `Refused` with the server's own sentence."""

    def __init__(self, *, home: Path | None, server: str | None, api_key: str | None) -> None:
        self._server = server or (None if home else os.environ.get("CONNECT_SERVER"))
        self._key = api_key or os.environ.get("CONNECT_API_KEY")
        self._home = None if self._server else home or _existing_default()
        if self._server is None and self._home is None:
            raise NoServerNamed
        if self._server and not self._key:
            raise NoServerNamed("An API key is needed: give --api-key, or set CONNECT_API_KEY.")

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """The JSON answer (``None`` if there is no body). ``path`` is relative to ``/api/v1/``."""
        params = {k: str(v) for k, v in query.items() if v is not None}
        response = (
            self._remote(method, path, body, params)
            if self._server
            else asyncio.run(self._local(method, path, body, params))
        )
        if response.is_error:
            raise Refused(_sentence(response))
        return response.json() if response.content else None

    def pages(self, path: str, **query: object) -> list[Any]:
        """All results of an offset-paged list."""
        found: list[Any] = []
        page = 1
        while True:
            answer = self.call("GET", path, page_number=page, page_size=500, **query)
            found += answer["results"]
            if not answer["results"] or len(found) >= answer["total"]:
                return found
            page += 1

    def download(self, path: str, out: BinaryIO, **query: object) -> None:
        """Write the answer to ``out`` as it comes, however long it is."""
        params = {k: str(v) for k, v in query.items() if v is not None}
        if self._server:
            self._download_remote(path, params, out)
        else:
            asyncio.run(self._download_local(path, params, out))

    def _download_remote(self, path: str, params: dict[str, str], out: BinaryIO) -> None:
        with self._reachable(), httpx.stream("GET", **self._request(path, params)) as response:
            if response.is_error:
                response.read()
                raise Refused(_sentence(response))
            for chunk in response.iter_bytes():
                out.write(chunk)

    async def _download_local(self, path: str, params: dict[str, str], out: BinaryIO) -> None:
        from pilothouse.app.local import local_api

        assert self._home is not None
        status, refusal = 0, bytearray()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            body = message.get("body", b"")
            if status < 400:
                out.write(body)
            else:
                refusal.extend(body)

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": f"/api/v1/{unquote(path)}", "query_string": str(httpx.QueryParams(params)).encode(), "headers": [(b"host", b"localhost")],
        }  # fmt: skip
        with local_api(self._home) as api:
            await api(scope, receive, send)
        if status >= 400:
            raise Refused(_sentence(httpx.Response(status, content=bytes(refusal))))

    def _request(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        assert self._server is not None
        headers = {"Authorization": f"Key {self._key}"}
        return {"url": f"{self._server.rstrip('/')}/api/v1/{path}", "params": params, "headers": headers, "timeout": 60}

    def _remote(self, method: str, path: str, body: object, params: dict[str, str]) -> httpx.Response:
        with self._reachable():
            return httpx.request(method, json=body, **self._request(path, params))

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except httpx.InvalidURL as error:
            raise Invalid(
                f"“{self._server}” is not a URL. Write it with its scheme, for example http://localhost:3939."
            ) from error
        except httpx.HTTPError as error:
            raise ServerUnreachable(
                f"The server {self._server} does not answer ({error}). Check its address, and that it runs."
            ) from error

    async def _local(self, method: str, path: str, body: object, params: dict[str, str]) -> httpx.Response:
        from pilothouse.app.local import local_api

        assert self._home is not None
        with local_api(self._home) as api:
            transport = httpx.ASGITransport(app=api)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, f"/api/v1/{path}", json=body, params=params)


def _existing_default() -> Path | None:
    home = home_or_default(None)
    return home if home.is_dir() else None


def _sentence(response: httpx.Response) -> str:
    try:
        document = response.json()
        return str(document.get("detail") or document.get("title") or response.reason_phrase)
    except (ValueError, AttributeError):
        return f"The server answered {response.status_code} {response.reason_phrase}. Is {response.url} a Pilothouse server?"
