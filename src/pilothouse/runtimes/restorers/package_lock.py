"""Pure: reading npm's ``package-lock.json`` (lockfile versions 2 and 3), and refusing what would come from elsewhere than the registry."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pilothouse.runtimes.contract import Artifact, RequirementRefused

REMEDY = "Run npm install with npm 7 or newer, and deploy again."
NAME = re.compile(r"(@[a-z0-9~_.-]+/)?[A-Za-z0-9~_.-]+")
WISHES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
PLAIN = re.compile(r"npm:(@[^/:@]+/)?[^/:@]+(@[^/:]*)?|[^/:]*")
SHA512_BYTES = 64


def read(text: str) -> dict[str, Any]:
    """The lock without the addresses that its packages once came from: they are asked for by name, version and hash.

    Raises `RequirementRefused` for what is no complete lock, and for packages of Git, of a folder or of a direct address.
    """
    try:
        document = json.loads(text)
    except ValueError:
        raise RequirementRefused(f"The package-lock.json is not valid JSON. {REMEDY}") from None
    packages = document.get("packages") if isinstance(document, dict) else None
    if not isinstance(packages, dict) or not isinstance(packages.get(""), dict):
        raise RequirementRefused(f"The package-lock.json is of a kind that does not name every package. {REMEDY}")
    if packages[""].get("workspaces"):
        raise RequirementRefused("The project is a workspace of several packages. Deploy one package of it.")
    return {
        "name": "app",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {path: _checked(path, entry) for path, entry in packages.items()},
    }


def artifacts(document: Mapping[str, Any]) -> tuple[Artifact, ...]:
    """What is installed: without packages of development, and without those that come inside another one's file."""
    found = {}
    for path, entry in _installed(document):
        name = str(entry.get("name") or path.rpartition("node_modules/")[2])
        version, sha512 = str(entry["version"]), _sha512(str(entry["integrity"]))
        found[name, version, sha512] = Artifact(name, version, f"{name}-{version}.tgz", "", sha512=sha512)
    return tuple(sorted(found.values(), key=lambda a: (a.name, a.version)))


def with_scripts(document: Mapping[str, Any]) -> list[str]:
    """Names of installed packages that would run a script of their own while they are installed."""
    entries = (path.rpartition("node_modules/")[2] for path, e in _installed(document) if e.get("hasInstallScript"))
    return sorted(set(entries))


def package_json(document: Mapping[str, Any]) -> dict[str, Any]:
    """The wishes that the lock answers, as npm wants them beside it."""
    root = document["packages"][""]
    return {"name": "app", "version": "0.0.0", **{wish: root[wish] for wish in WISHES if wish in root}}


def _installed(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, entry in document["packages"].items():
        if path and not entry.get("dev") and not entry.get("inBundle"):
            yield path, entry


def _checked(path: str, entry: Any) -> dict[str, Any]:
    name = path.rpartition("node_modules/")[2] or "the project itself"
    if not isinstance(entry, dict) or (path and not _is_path(path)) or not NAME.fullmatch(name.replace(" ", "-")):
        raise RequirementRefused(f"The package-lock.json has an entry that can't be read: {path[:80]}. {REMEDY}")
    if entry.get("link") or not _is_from_registry(entry):
        raise RequirementRefused(
            f"The package {name[:80]} does not come from a package registry (Git, folder or direct address). "
            "Publish it to the registry, or copy its files into the project."
        )
    for wish in WISHES:
        _check_wishes(name, entry.get(wish) or {})
    if path and not entry.get("inBundle") and not _has_hash(entry):
        raise RequirementRefused(f"The package-lock.json has no SHA-512 for {name[:80]}. {REMEDY}")
    return {key: value for key, value in entry.items() if key != "resolved"}


def _is_path(path: str) -> bool:
    parts = path.removeprefix("node_modules/").split("/node_modules/")
    return path.startswith("node_modules/") and all(NAME.fullmatch(part) and part not in (".", "..") for part in parts)


def _is_from_registry(entry: Mapping[str, Any]) -> bool:
    """npm writes the address of a registry's file as ``…/{name}/-/{file}.tgz``."""
    resolved = entry.get("resolved")
    return resolved is None or (
        isinstance(resolved, str) and resolved.startswith(("https://", "http://")) and "/-/" in resolved
    )


def _check_wishes(name: str, wishes: Any) -> None:
    if not isinstance(wishes, dict):
        raise RequirementRefused(f"The package-lock.json has an entry that can't be read: {name[:80]}. {REMEDY}")
    for wanted, spec in wishes.items():
        if not _is_plain(str(spec)):
            raise RequirementRefused(
                f"{name[:80]} asks for {wanted[:80]} from “{str(spec)[:80]}”. Packages come from the registry only: ask for a version."
            )


def _is_plain(spec: str) -> bool:
    """A version, a range, a tag, or another name for a package; ``user/repository``, ``./folder`` and ``file.tgz`` are places."""
    return PLAIN.fullmatch(spec) is not None and not spec.startswith(".") and not spec.endswith((".tgz", ".tar", ".gz"))


def _has_hash(entry: Mapping[str, Any]) -> bool:
    integrity = entry.get("integrity")
    return isinstance(integrity, str) and isinstance(entry.get("version"), str) and bool(_sha512(integrity))


def _sha512(integrity: str) -> str:
    """The SHA-512 among Subresource Integrity hashes, as hex; empty if there is none."""
    for one in integrity.split():
        kind, _, value = one.partition("-")
        if kind == "sha512":
            try:
                raw = base64.b64decode(value.partition("?")[0], validate=True)
            except binascii.Error:
                continue
            if len(raw) == SHA512_BYTES:
                return raw.hex()
    return ""
