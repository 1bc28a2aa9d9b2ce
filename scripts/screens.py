"""``make screens``: photographs every page, light, dark and on a phone, with sample data (empty, usual, overfull, wrong).

Usage: ``python scripts/screens.py [--to FOLDER] [PART-OF-A-NAME …]``. All pictures go to ``.cache/screens``; the few that
the documentation shows (`SHOWN`) also to ``docs/screens``. Pages come from the real templates and style
sheets, served on the loopback; the values are those of ``tests/factories/page_samples.py``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from fastapi import FastAPI, Request, Response

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.factories.chromium import ARGUMENTS, PATH  # noqa: E402
from tests.factories.page_samples import Sample, samples, state_pages  # noqa: E402
from tests.factories.served import served  # noqa: E402

from pilothouse.asgi import static_files  # noqa: E402
from pilothouse.asgi.notices import PUT_AWAY  # noqa: E402
from pilothouse.asgi.origins import Origins  # noqa: E402
from pilothouse.asgi.rendering import page  # noqa: E402

#: The pictures of the documentation: a sample, and in which looks.
SHOWN = {
    "home-usual": ("light", "phone"),
    "gallery-usual": ("light", "dark"),
    "content-compare": ("light",),
    "content-log": ("dark",),
    "content-runtime": ("light",),
    "content-usage": ("light",),
    "admin-overview": ("light", "phone"),
    "admin-jobs": ("dark",),
    "admin-queue": ("light",),
    "admin-storage": ("light",),
    "admin-audit": ("light",),
    "login": ("light",),
    "state-starting": ("light",),
}
DOCS = ROOT / "docs" / "screens"
LOOKS = {"light": (1280, 800, "light"), "dark": (1280, 800, "dark"), "phone": (360, 760, "light")}


class _Stage:
    def __init__(self, key: str, title: str, path: str) -> None:
        self.key, self.title, self.path = key, title, path
        self.host = self.content_host = None


class _Stages:
    def all(self) -> list[_Stage]:
        return [_Stage("dev", "Development", "/"), _Stage("prod", "Production", "/prod/")]


def gallery_of_samples() -> FastAPI:
    """An app that answers ``/sample/NAME`` with that sample's page."""
    app = FastAPI(openapi_url=None)
    app.state.stages = _Stages()
    app.state.origins = Origins("http://localhost:3939", port=3939, content_port=3940)
    app.state.notices = lambda: [(1, "On Saturday from 8 to 10 the server is upgraded. Apps go on.")]
    app.include_router(static_files.router)
    by_name, states = {sample.name: sample for sample in samples()}, state_pages()

    @app.get("/sample/{name}")
    def show(name: str, request: Request) -> Response:
        if name in states:
            return Response(states[name], media_type="text/html")
        sample: Sample = by_name[name]
        request.state.principal = sample.reader
        request.state.stage = _Stages().all()[0]
        if not name.startswith("home"):
            request.cookies[PUT_AWAY] = "1"
        return page(request, sample.template, **sample.values)

    @app.get("/_/content/{guid}/standing")
    def standing(guid: str) -> Response:
        return Response(status_code=204)

    @app.get("/_/news")
    def news() -> dict[str, object]:
        return {"until": "", "news": []}

    return app


def all_names() -> list[str]:
    """Of all pages that `gallery_of_samples` shows."""
    return [*(sample.name for sample in samples()), *state_pages()]


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--to", type=Path, default=ROOT / ".cache" / "screens")
    arguments.add_argument("--looks", nargs="*", default=list(LOOKS))
    arguments.add_argument("names", nargs="*")
    asked = arguments.parse_args()
    if PATH is None:
        print("No Chromium is installed; make screens needs one.")
        return 1
    names = [name for name in all_names() if not asked.names or any(part in name for part in asked.names)]
    asked.to.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    with served(gallery_of_samples()) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        for look in asked.looks:
            width, height, scheme = LOOKS[look]
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            tab.on("console", lambda message: print(f"  console: {message.text}") if message.type == "error" else None)
            for name in names:
                tab.goto(f"{url}/sample/{name}", wait_until="load")
                tab.evaluate("document.fonts.ready")
                overflow = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                print(f"{name} {look}" + (f"  wider than the window by {overflow} px" if overflow > 0 else ""))
                picture = asked.to / f"{name}-{look}.png"
                tab.screenshot(path=picture, full_page=True)
                if look in SHOWN.get(name, ()):
                    shutil.copy(picture, DOCS / picture.name)
            tab.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
