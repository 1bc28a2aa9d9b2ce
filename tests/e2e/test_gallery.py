"""The gallery and an item's settings in a real Chromium: filters without reloading, stars, pictures made small, undo."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from fastapi import FastAPI
from tests.e2e.test_pages import app, browser, tab  # noqa: F401 - fixtures
from tests.factories.pages_app import publish

from pilothouse.content.models import Favourite, Thumbnail


def png(width: int, height: int) -> bytes:
    """A picture of this size in one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x0f\x8f\x83" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_sentence_narrows_the_gallery_and_the_address_says_the_same(app: FastAPI, tab: Any) -> None:  # noqa: F811
    publish(app, "amara.okoye", "Plant monitor")
    publish(app, "henrik.dahl", "Shelf life", mode="python-shiny", open_to="logged_in")
    tab.goto("/_/content")
    tab.select_option("select[name=kind]", "python-shiny")
    tab.wait_for_selector("text=1 item")
    assert tab.url.endswith("/_/content?kind=python-shiny")
    tab.select_option("select[name=owner]", "me")
    tab.wait_for_selector("text=Nothing matches")
    tab.reload()
    assert tab.input_value("select[name=owner]") == "me"
    tab.click("text=Show everything")
    tab.wait_for_selector("text=2 items")


def test_a_star_answers_at_once_and_is_there_after_a_reload(app: FastAPI, tab: Any) -> None:  # noqa: F811
    publish(app, "amara.okoye", "Plant monitor")
    tab.goto("/_/content")
    with tab.expect_response("**/favourite"):
        tab.click(".star")
    assert tab.get_attribute(".star", "aria-pressed") == "true"
    tab.reload()
    assert tab.get_attribute(".star", "aria-pressed") == "true"
    with app.state.database.read() as tx:
        assert tx.query(Favourite).count() == 1


def test_a_large_picture_is_made_small_before_it_is_sent(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    tab.goto(f"/_/content/{item.guid}/settings")
    picture = {"name": "view.png", "mimeType": "image/png", "buffer": png(2400, 1350)}
    with tab.expect_navigation():
        tab.set_input_files("[data-thumbnail]", picture)
    with app.state.database.read() as tx:
        kept = tx.query(Thumbnail).one()
        assert kept.media_type == "image/webp" and len(kept.image) < 64_000
    tab.goto("/_/content")
    tab.wait_for_function("document.querySelector('img.picture').naturalWidth === 640")


def test_a_file_that_is_no_picture_is_refused_in_words(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    tab.goto(f"/_/content/{item.guid}/settings")
    tab.set_input_files("[data-thumbnail]", {"name": "a.png", "mimeType": "image/png", "buffer": b"<svg>"})
    tab.wait_for_selector("#thumbnail-problem >> text=Choose a PNG")


def test_a_saved_change_is_taken_back_with_one_button(app: FastAPI, tab: Any) -> None:  # noqa: F811
    item = publish(app, "amara.okoye", "Plant monitor")
    tab.goto(f"/_/content/{item.guid}/settings")
    tab.fill("#f-title", "Reactors")
    tab.click("button:has-text('Save')")
    tab.wait_for_selector("h1 >> text=Reactors")
    tab.click("button:has-text('Undo')")
    tab.wait_for_selector("h1 >> text=Plant monitor")
