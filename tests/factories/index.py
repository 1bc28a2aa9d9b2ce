"""A package index on this machine: wheels and source distributions made on the spot, with pages as PEP 503 has them."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import tarfile
import textwrap
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

#: A build backend (PEP 517) that makes the wheel by itself; ``{body}`` runs while it builds, ``found`` goes into the module.
BACKEND = """
import os, socket, sys, zipfile
found = {{}}
def _metadata():
    return "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.makedirs(folder + "/{name}-{version}.dist-info", exist_ok=True)
    open(folder + "/{name}-{version}.dist-info/METADATA", "w").write(_metadata())
    open(folder + "/{name}-{version}.dist-info/WHEEL", "w").write("Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return "{name}-{version}.dist-info"
def build_wheel(folder, config_settings=None, metadata_directory=None):
{body}
    name = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        files = {{"{name}.py": "FOUND = " + repr(found), "{name}-{version}.dist-info/METADATA": _metadata(),
                 "{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
        files["{name}-{version}.dist-info/RECORD"] = "".join(f + ",,\\n" for f in files)
        for file, text in files.items():
            archive.writestr(file, text)
    return name
"""


def add_wheel(folder: Path, name: str, version: str) -> Path:
    path = folder / name / f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"WORD = '{name} {version}'\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{name}-{version}.dist-info/RECORD"] = "".join(f"{file},,\n" for file in files)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file, text in files.items():
            archive.writestr(zipfile.ZipInfo(file, (2026, 1, 1, 0, 0, 0)), text)
    return _listed(path, buffer.getvalue())


def add_sdist(folder: Path, name: str, version: str, *, body: str = "pass", requires: str = "") -> Path:
    """A source distribution whose backend runs ``body`` when it builds; ``requires`` are TOML strings of build requirements."""
    top = f"{name}-{version}"
    files = {
        "pyproject.toml": f'[build-system]\nrequires = [{requires}]\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.format(name=name, version=version, body=textwrap.indent(textwrap.dedent(body), "    ")),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file, text in files.items():
            info = tarfile.TarInfo(f"{top}/{file}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return _listed(folder / name / f"{top}.tar.gz", buffer.getvalue())


def _listed(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    with (path.parent / "index.html").open("a") as page:
        page.write(f'<a href="{path.name}#sha256={hashlib.sha256(data).hexdigest()}">{path.name}</a>\n')
    return path


class _Files(http.server.SimpleHTTPRequestHandler):
    credentials, seen = "", list[tuple[str, str]]()

    def do_GET(self) -> None:
        given = self.headers.get("authorization", "")
        self.seen.append((self.path, given))
        if self.credentials and given != f"Basic {base64.b64encode(self.credentials.encode()).decode()}":
            self.send_error(401)
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving(folder: Path, *, credentials: str = "") -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The index's address (with ``user:password`` if it asks for them), and the list of what was asked with which credentials."""
    seen: list[tuple[str, str]] = []
    kind = type("Files", (_Files,), {"credentials": credentials, "seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{credentials + '@' if credentials else ''}127.0.0.1:{server.server_port}/", seen
    finally:
        server.shutdown()
        server.server_close()
