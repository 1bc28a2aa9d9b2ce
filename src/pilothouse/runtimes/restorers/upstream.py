"""Asking the configured package index: its credentials go to its own host and to nobody else."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Generator
from urllib.parse import unquote, urlsplit

import httpx


class IndexCredentials(httpx.Auth):
    """Basic authentication with the user and password in the index's address, for requests to that host and port only."""

    def __init__(self, index: str) -> None:
        parts = urlsplit(index)
        self._origin = (parts.scheme, parts.hostname or "", parts.port)
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._header = f"Basic {b64encode(pair.encode()).decode()}" if parts.username else None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._header and (request.url.scheme, request.url.host, request.url.port) == self._origin:
            request.headers["authorization"] = self._header
        yield request


def session(index: str, *, timeout_s: float = 60) -> httpx.Client:
    """A client for the index and the files it names. A redirect to another host loses the credentials."""
    return httpx.Client(
        timeout=timeout_s, follow_redirects=True, auth=IndexCredentials(index), verify=ssl.create_default_context()
    )


def bare(index: str) -> str:
    """The index's address without its credentials, and without a slash at its end."""
    parts = urlsplit(index)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
