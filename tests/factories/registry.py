"""A package registry for npm on this machine, and lockfiles that name its packages."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Registry:
    """``packages`` holds the files by name and version; ``asked`` the paths and the Authorization headers of all requests."""

    address: str = ""
    packages: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, version: str, files: Mapping[str, str] | None = None, **more: Any) -> None:
        """Publish a package whose index.js exports its name and version."""
        said = json.dumps({"name": name, "version": version, "main": "index.js", **more})
        files = {"package.json": said, "index.js": f"module.exports = '{name} {version}';\n", **(files or {})}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for path, text in files.items():
                entry = tarfile.TarInfo(f"package/{path}")
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        self.packages[name, version] = buffer.getvalue()

    def integrity(self, name: str, version: str) -> str:
        digest = hashlib.sha512(self.packages[name, version]).digest()
        return f"sha512-{base64.b64encode(digest).decode()}"

    def document(self, name: str) -> dict[str, Any] | None:
        """What the registry says of a package, as npm wants it."""
        versions = {
            version: {
                "name": name,
                "version": version,
                "dist": {
                    "tarball": f"{self.address}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
                    "integrity": self.integrity(name, version),
                },
            }
            for known, version in self.packages
            if known == name
        }
        return {"name": name, "dist-tags": {"latest": max(versions)}, "versions": versions} if versions else None

    def lock(self, *wanted: str, **changes: Any) -> str:
        """A ``package-lock.json`` for ``name@version``s; ``changes`` go into the first one's entry."""
        pairs = [wish.rsplit("@", 1) for wish in wanted]
        packages: dict[str, Any] = {
            "": {"name": "app", "version": "1.0.0", "dependencies": {name: version for name, version in pairs}}
        }
        for place, (name, version) in enumerate(pairs):
            known = (name, version) in self.packages
            integrity = self.integrity(name, version) if known else f"sha512-{base64.b64encode(bytes(64)).decode()}"
            entry = {"version": version, "integrity": integrity}
            packages[f"node_modules/{name}"] = entry | (changes if place == 0 else {})
        return json.dumps(
            {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
        )


@contextmanager
def npm_registry() -> Iterator[Registry]:
    """A registry that answers on loopback until the end of the block."""
    registry = Registry()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append((self.path, self.headers.get("authorization", "")))
            name, is_file, file = self.path.strip("/").replace("%2f", "/").partition("/-/")
            if is_file:
                version = file.removesuffix(".tgz").removeprefix(f"{name.rpartition('/')[2]}-")
                body = registry.packages.get((name, version))
            else:
                said = registry.document(name)
                body = json.dumps(said).encode() if said else None
            self.send_response(404 if body is None else 200)
            self.send_header("content-length", str(len(body or b"")))
            if is_file:  # as npm's own registry says
                self.send_header("cache-control", "public, immutable, max-age=31557600")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    registry.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
