"""Pure: reading ``manifest.json``, tolerant of what the various clients write (connect-wire-api §4.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilothouse.base.seam import UnknownChoice
from pilothouse.content import content_kinds
from pilothouse.content.contract import ContentKind, Manifest, ManifestInvalid, UnknownAppMode

SIZE_LIMIT = 8 * 1024 * 1024
#: Older names of kinds that clients still write.
ALIASES = {"nodejs-api": "nodejs"}


def read_manifest(root: Path) -> Manifest:
    """The manifest of an unpacked bundle. Raises `ManifestInvalid`."""
    path = root / "manifest.json"
    if not path.is_file():
        raise ManifestInvalid(
            "The bundle has no manifest.json at its top. Deploy with a publishing client, which writes it."
        )
    if path.stat().st_size > SIZE_LIMIT:
        raise ManifestInvalid("The manifest.json is larger than 8 MB. Deploy fewer files.")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, UnicodeDecodeError) as error:
        raise ManifestInvalid(
            f"The manifest.json is not valid JSON ({error}). Deploy with a publishing client, which writes it."
        ) from None
    return parse_manifest(document)


def parse_manifest(document: Any) -> Manifest:
    """The parts we use. Raises `ManifestInvalid`; anything optional may be missing or null."""
    metadata = _object(document, "manifest.json").get("metadata")
    app_mode = _text(_object(metadata, "metadata"), "appmode")
    if not app_mode:
        raise ManifestInvalid(
            "The manifest.json names no appmode in its metadata. Deploy with a publishing client, which writes it."
        )
    app_mode, metadata = ALIASES.get(app_mode, app_mode), _object(metadata, "metadata")
    python, wanted = _section(document, "python"), _section(document, "environment")
    manager, wanted_python = _section(python, "package_manager"), _section(wanted, "python")
    node, wanted_node = _section(document, "node"), _section(wanted, "nodejs")
    return Manifest(
        app_mode=app_mode,
        entrypoint=_text(metadata, "entrypoint"),
        primary_html=_text(metadata, "primary_html") or (_text(metadata, "entrypoint") if app_mode == "static" else ""),
        category=_text(metadata, "content_category"),
        has_parameters=metadata.get("has_parameters") is True,
        python_version=_text(python, "version") or None,
        python_requires=_text(wanted_python, "requires") or None,
        node_version=_text(node, "version").removeprefix("v") or None,
        node_requires=_text(wanted_node, "requires") or None,
        requirements_file="package-lock.json"
        if app_mode == "nodejs"
        else _text(manager, "package_file") or "requirements.txt",
        document=document,
    )


def kind_of(manifest: Manifest) -> ContentKind:
    """The kind that takes this bundle. Raises `UnknownAppMode` and lists what is served here."""
    try:
        return content_kinds.load(manifest.app_mode)()
    except UnknownChoice:
        names = ", ".join(content_kinds.names())
        raise UnknownAppMode(
            f"Content of the kind “{manifest.app_mode[:40]}” can't be run here. This server runs: {names}."
        ) from None


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ManifestInvalid(
            f"The {what} of the bundle is not an object. Deploy with a publishing client, which writes it."
        )
    return value


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
