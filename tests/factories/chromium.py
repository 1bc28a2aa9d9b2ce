"""A real Chromium that asks nobody anything by itself."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PATH = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


@contextmanager
def chromium(what: str) -> Iterator[Any]:
    """Playwright's browser, closed at the end of the block; without one the test is skipped and says that ``what`` is not exercised."""
    if PATH is None or importlib.util.find_spec("playwright") is None:
        pytest.skip(f"NOT EXERCISED: {what}. Install chromium and playwright.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        yield browser
        browser.close()
