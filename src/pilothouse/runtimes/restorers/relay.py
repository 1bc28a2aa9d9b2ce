"""The package index as a sandbox sees it: HTTP over a unix socket, and nothing but the index behind it (SECURITY 17).

The sandbox has no network; this socket in its folder is all it reaches. Pages are asked from the configured index with our
credentials and given on in the JSON form (PEP 691) with the files' addresses replaced by our own, so that only files which
the index names can be had, and metadata files beside them (PEP 658).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from pilothouse.runtimes.restorers.upstream import bare, session

SOCKET = "index.sock"
PAGE = re.compile(r"/simple/([a-z0-9][a-z0-9._-]*)/?")
FILE = re.compile(r"/files/([0-9a-f]{24})/([^/?#]+?)(\.metadata)?")
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
PASSED_ON = ("content-length", "content-range", "content-type", "accept-ranges", "etag")
CHUNK = 256 * 1024
CONNECTIONS = 64


@dataclass(frozen=True)
class Known:
    """A file as the index names it. ``sha256`` is hex, empty where the index gives none."""

    filename: str
    url: str
    sha256: str
    size_bytes: int | None


class Relay(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """``files`` holds what the index said about every file that was asked for by name, by file name."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, index: str, folder: Path) -> None:
        self.index, self.files = bare(index), dict[str, Known]()
        self._by_key: dict[str, Known] = {}
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self.client = session(index)
        descriptor = os.open(folder, os.O_DIRECTORY | os.O_RDONLY | os.O_NOFOLLOW)
        try:  # the path of a unix socket holds 107 bytes; this one is always short
            super().__init__(f"/proc/self/fd/{descriptor}/{SOCKET}", _Handler)
            os.chmod(SOCKET, 0o666, dir_fd=descriptor)  # noqa: S103 - the folder is its user's alone
        finally:
            os.close(descriptor)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:  # who is inside the sandbox must not fill our process with threads
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def page(self, project: str) -> dict[str, Any] | None:
        """One project's page in the form of PEP 691; ``None`` if the index has none. Raises `httpx.HTTPError`."""
        from pypi_simple import ProjectPage  # takes a while, and is seldom needed

        answer = self.client.get(f"{self.index}/{quote(project)}/", headers={"accept": ACCEPT})
        if answer.status_code in (404, 410):
            return None
        answer.raise_for_status()
        where = str(answer.url)
        found = (
            ProjectPage.from_json_data(answer.json(), base_url=where)
            if "json" in answer.headers.get("content-type", "")
            else ProjectPage.from_html(project, answer.text, base_url=where)
        )
        return {
            "meta": {"api-version": "1.0"},
            "name": project,
            "files": [self._file(package) for package in found.packages],
        }

    def file(self, key: str) -> Known | None:
        return self._by_key.get(key)

    def _file(self, package: Any) -> dict[str, Any]:
        known = Known(package.filename, package.url, package.digests.get("sha256", ""), package.size)
        key = hashlib.sha256(known.url.encode()).hexdigest()[:24]
        self._by_key[key] = self.files[known.filename] = known
        said = {
            "filename": known.filename,
            "url": f"/files/{key}/{quote(known.filename)}",
            "hashes": package.digests,
            "requires-python": package.requires_python,
            "core-metadata": package.metadata_digests or bool(package.has_metadata),
            "yanked": (package.yanked_reason or True) if package.is_yanked else False,
        }
        return {name: value for name, value in said.items() if value is not None}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Relay

    def do_GET(self) -> None:
        try:
            self._answer()
        except httpx.HTTPError as error:
            self._say(502, "text/plain", f"The package index did not answer: {type(error).__name__}.".encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        return

    def address_string(self) -> str:
        return "sandbox"

    def _answer(self) -> None:
        if (page := PAGE.fullmatch(self.path)) is not None:
            found = self.server.page(page[1])
            if found is None:
                self._say(404, "text/plain", b"The index has no such project.")
            else:
                self._say(200, "application/vnd.pypi.simple.v1+json", json.dumps(found).encode())
            return
        asked = FILE.fullmatch(self.path)
        known = self.server.file(asked[1]) if asked else None
        if asked is None or known is None:
            self._say(404, "text/plain", b"The index names no such file.")
            return
        self._pass_on(known.url + (asked[3] or ""))

    def _pass_on(self, url: str) -> None:
        asked = {"accept-encoding": "identity"} | ({"range": r} if (r := self.headers.get("range")) else {})
        with self.server.client.stream(self.command, url, headers=asked) as answer:
            self.send_response(answer.status_code)
            for name in PASSED_ON:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if "content-length" not in answer.headers:
                self.send_header("connection", "close")
            self.end_headers()
            for chunk in answer.iter_raw(CHUNK):
                self.wfile.write(chunk)

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def relaying(index: str, folder: Path) -> Iterator[Relay]:
    """A relay that listens at ``folder/index.sock`` for as long as the block runs."""
    relay = Relay(index, folder)
    thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.1}, name="relay", daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()
        relay.client.close()
