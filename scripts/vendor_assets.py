"""Copies the chosen files of a few npm packages, with their licences, to ``asgi/static/vendor`` and writes the manifest.

Versions are pinned with checksums in ``scripts/assets/package-lock.json`` (no registry's address in it). ``--check``
needs no network: it compares the committed files with the manifest. Run without it after changing a version or an icon.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "assets"
VENDOR = ROOT / "src" / "pilothouse" / "asgi" / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"

FILES = {  # the file here: (package, file there)
    "htmx.min.js": ("htmx.org", "dist/htmx.min.js"),
    "htmx.LICENSE": ("htmx.org", "LICENSE"),
    "tabler.min.css": ("@tabler/core", "dist/css/tabler.min.css"),
    "tabler.LICENSE": ("@tabler/icons", "LICENSE"),  # the same author's; the CSS package names it without shipping it
    "inter-latin.woff2": ("@fontsource-variable/inter", "files/inter-latin-wght-normal.woff2"),
    "inter-latin-ext.woff2": ("@fontsource-variable/inter", "files/inter-latin-ext-wght-normal.woff2"),
    "inter.LICENSE": ("@fontsource-variable/inter", "LICENSE"),
    "jetbrains-mono-latin.woff2": (
        "@fontsource-variable/jetbrains-mono",
        "files/jetbrains-mono-latin-wght-normal.woff2",
    ),
    "jetbrains-mono.LICENSE": ("@fontsource-variable/jetbrains-mono", "LICENSE"),
    "uplot.min.js": ("uplot", "dist/uPlot.iife.min.js"),
    "uplot.min.css": ("uplot", "dist/uPlot.min.css"),
    "uplot.LICENSE": ("uplot", "LICENSE"),
}

ICONS = [
    "activity",
    "adjustments",
    "affiliate",
    "alert-triangle",
    "api",
    "app-window",
    "apps",
    "arrow-back-up",
    "arrows-diff",
    "bell",
    "book",
    "brand-python",
    "building",
    "chart-bar",
    "chart-dots",
    "chart-line",
    "check",
    "chevron-down",
    "chevron-right",
    "circle-check",
    "circle-dashed",
    "circle-x",
    "clock",
    "clock-play",
    "copy",
    "cpu",
    "database",
    "device-desktop",
    "dots",
    "download",
    "external-link",
    "eye",
    "file-code",
    "file-diff",
    "file-minus",
    "file-plus",
    "file-text",
    "filter",
    "gauge",
    "heart-handshake",
    "history",
    "home",
    "inbox",
    "info-circle",
    "key",
    "layout-grid",
    "link",
    "list",
    "list-search",
    "loader-2",
    "lock",
    "lock-open",
    "login",
    "logout",
    "message-circle",
    "moon",
    "package",
    "pencil",
    "photo",
    "player-pause",
    "player-play",
    "player-stop",
    "plus",
    "refresh",
    "rocket",
    "rotate",
    "search",
    "selector",
    "send",
    "server",
    "settings",
    "shield",
    "shield-check",
    "snowflake",
    "star",
    "sun",
    "table",
    "tag",
    "terminal-2",
    "trash",
    "upload",
    "user",
    "user-circle",
    "users",
    "users-group",
    "variable",
    "versions",
    "world",
    "x",
]


def main() -> int:
    if "--check" in sys.argv[1:]:
        wrong = differences()
        print("\n".join(wrong) or "vendored files match their manifest")
        return 1 if wrong else 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINS / name, folder)
        npm = shutil.which("npm")
        if npm is None:
            print("npm is needed to fetch the packages; install Node.js.")
            return 1
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        copy(Path(folder) / "node_modules")
    return 0


def copy(modules: Path) -> None:
    """Take the files from ``modules`` and describe each in the manifest."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    entries = {}
    for target, (package, source) in FILES.items():
        content = (modules / package / source).read_bytes()
        if target.endswith((".js", ".css")):
            content = re.sub(rb"\n?(//#|/\*#) sourceMappingURL=[^\n]*\n?", b"", content)
        (VENDOR / target).write_bytes(content)
        entries[target] = entry(modules, package, source, content)
    sprite = icons(modules / "@tabler" / "icons" / "icons" / "outline").encode()
    (VENDOR / "icons.svg").write_bytes(sprite)
    entries["icons.svg"] = entry(modules, "@tabler/icons", "icons/outline", sprite)
    MANIFEST.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")


def entry(modules: Path, package: str, source: str, content: bytes) -> dict[str, str]:
    about = json.loads((modules / package / "package.json").read_text())
    return {
        "package": package,
        "version": about["version"],
        "licence": about["license"],
        "source": source,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def icons(folder: Path) -> str:
    """One file with a ``<symbol>`` for each icon: pages draw ``icons.svg#name``."""
    symbols = []
    for name in sorted(ICONS):
        svg = (folder / f"{name}.svg").read_text()
        paths = re.findall(r"<(?:path|circle|rect|line)\b[^>]*>", svg)
        drawn = "".join(p for p in paths if 'stroke="none"' not in p)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{drawn}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def differences() -> list[str]:
    """What does not match the manifest: changed, missing and unlisted files."""
    entries = json.loads(MANIFEST.read_text())
    here = {p.name for p in VENDOR.iterdir()} - {MANIFEST.name}
    found = [f"{name}: listed, but missing or unlisted" for name in sorted(here ^ set(entries))]
    digests = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in sorted(here & set(entries))}
    return found + [f"{name}: changed" for name, digest in digests.items() if digest != entries[name]["sha256"]]


if __name__ == "__main__":
    sys.exit(main())
