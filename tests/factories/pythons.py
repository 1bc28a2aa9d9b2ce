"""A mirror of Pythons on loopback: its archive is made from the machine's own interpreter, in the layout uv installs."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

SYSTEM_PYTHON = Path("/usr/bin/python3")
ARCHIVE = "python.tar.gz"
#: Where the internet has them, and how a file is called there.
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
RELEASED = "cpython-{version}+20260101-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
LEFT_OUT = {"__pycache__", "test", "idlelib", "ensurepip", "dist-packages", "lib2to3", "pydoc_data"}


def system_version() -> str:
    asked = [SYSTEM_PYTHON, "-I", "-S", "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@dataclass
class Mirror:
    """``downloads`` is the address of its list; ``asked`` the paths that were requested.

    ``public_list`` names addresses of the internet that the mirror at ``base`` has, ``wrong_list`` a hash that is wrong.
    """

    base: str
    version: str
    asked: list[str] = field(default_factory=list)

    @property
    def downloads(self) -> str:
        return f"{self.base}/list.json"

    @property
    def public_list(self) -> str:
        return f"{self.base}/public.json"

    @property
    def wrong_list(self) -> str:
        return f"{self.base}/wrong.json"


@contextmanager
def mirror(folder: Path) -> Iterator[Mirror]:
    """Serve the machine's own Python as a download."""
    version, asked = system_version(), list[str]()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, asked, directory=str(folder)))
    address = f"http://127.0.0.1:{server.server_port}"
    archive = folder / ARCHIVE
    _archive(archive, version.rpartition(".")[0])
    released = folder / "20260101" / RELEASED.format(version=version)
    released.parent.mkdir()
    released.hardlink_to(archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    public = f"{RELEASES}/20260101/{quote(released.name)}"
    for name, url, sha256 in (
        ("list", f"{address}/{ARCHIVE}", digest),
        ("public", public, digest),
        ("wrong", f"{address}/{ARCHIVE}", "0" * 64),
    ):
        (folder / f"{name}.json").write_text(json.dumps(_list(version, url, sha256)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Mirror(address, version, asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, asked: list[str], *arguments: object, directory: str) -> None:
        self.asked = asked
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def log_message(self, format: str, *arguments: object) -> None:
        self.asked.append(unquote(self.path))


def _archive(file: Path, minor: str) -> None:
    with tarfile.open(file, "w:gz", compresslevel=1, dereference=True) as tar:
        tar.add(SYSTEM_PYTHON.resolve(), f"python/bin/python{minor}")
        tar.add(f"/usr/lib/python{minor}", f"python/lib/python{minor}", filter=_kept)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = member.name.split("/")
    return None if LEFT_OUT.intersection(parts) or any(p.startswith("config-") for p in parts) else member


def _list(version: str, url: str, sha256: str) -> dict[str, object]:
    major, minor, patch = (int(n) for n in version.split("."))
    entry = {
        "name": "cpython", "arch": {"family": platform.machine(), "variant": None}, "os": "linux", "libc": "gnu", "major": major,
        "minor": minor, "patch": patch, "prerelease": "", "url": url, "sha256": sha256,
        "variant": None, "build": "20260101",
    }  # fmt: skip
    return {f"cpython-{version}-linux-{platform.machine()}-gnu": entry}
