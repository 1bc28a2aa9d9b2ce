from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from pilothouse.asgi.rendering import PACKAGE
from pilothouse.asgi.static_files import assets, router, static_url

ROOT = Path(__file__).parents[3]
#: What a page without plots loads: all that the layout names, and what its style sheets fetch for usual text.
LAYOUT = (PACKAGE / "asgi/templates/layout/base.html").read_text()
FIRST_LOAD = {*re.findall(r"static\('([^']+)'\)", LAYOUT), "vendor/jetbrains-mono-latin.woff2", "vendor/icons.svg"}


def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


def test_a_file_under_its_digest_may_be_kept_for_ever_and_under_no_digest_must_be_asked_for() -> None:
    http = client()
    assert "immutable" in http.get(static_url("app.css")).headers["cache-control"]
    assert http.get("/static/app.css").headers["cache-control"] == "no-cache"
    assert http.get("/static/app.css?v=old").headers["cache-control"] == "no-cache"


def test_a_known_copy_is_confirmed_without_sending_it_again() -> None:
    http = client()
    tag = http.get("/static/app.css").headers["etag"]
    answer = http.get("/static/app.css", headers={"If-None-Match": tag})
    assert answer.status_code == 304 and answer.content == b""


def test_text_is_compressed_for_those_who_can_read_it_and_fonts_are_not() -> None:
    http = client()
    plain = http.get("/static/app.css", headers={"Accept-Encoding": "identity"})
    packed = http.get("/static/app.css", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip" and packed.content == plain.content
    assert assets()["vendor/inter-latin.woff2"].compressed is None


def test_nothing_outside_the_folder_is_served() -> None:
    http = client()
    for path in ("../rendering.py", "..%2frendering.py", "/etc/passwd", "nothing.css", ""):
        assert http.get(f"/static/{path}").status_code == 404


def test_the_first_load_is_at_most_200_kilobytes() -> None:
    sizes = [len(a.compressed or a.content) for name, a in assets().items() if name in FIRST_LOAD]
    assert len(sizes) == len(FIRST_LOAD) > 12
    page_itself = 25_000
    assert sum(sizes) + page_itself <= 200_000


def test_our_style_sheet_and_scripts_ask_nothing_of_another_host() -> None:
    for name in ("app.css", "app.js", "theme.js", "connect.js", "tabler.css"):
        text = assets()[name].content.decode()
        assert "@import" not in text and 'url("http' not in text and "url(http" not in text
    assert gzip.decompress(assets()["app.js"].compressed or b"") == assets()["app.js"].content


def test_vendored_files_are_what_the_manifest_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "vendor_assets.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
