"""Starts of a running installation: they take turns, and who waits is told so."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.factories.installation import Installation, installed, project, until

pytestmark = pytest.mark.xdist_group("installation")

SLOW = """
import time
from fastapi import FastAPI
time.sleep(6)
app = FastAPI()

@app.get("/")
def home():
    return "Ahoy"
"""
BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed("[tasks]\nstarts = 1\n") as made:
        yield made


def asleep(ph: Installation, folder: Path, title: str) -> str:
    files = {"app.py": SLOW, "requirements.txt": "fastapi\n"}
    guid = ph.deploy("fastapi", project(folder, files), "--entrypoint", "app:app", "--title", title).guid
    for job in ph.api("GET", f"v1/content/{guid}/jobs").json():
        ph.api("DELETE", f"v1/content/{guid}/jobs/{job['key']}")
    until(lambda: all(j["end_time"] for j in ph.api("GET", f"v1/content/{guid}/jobs").json()), 60)
    return guid


def present(page: str) -> str:
    """The phase that a waiting page says is going on, without its seconds."""
    found = re.search(r'aria-current="step">([^<]+)<b>[^<]+ (s|min)', page)
    return found[1] if found else ""


def test_starts_take_turns_and_the_page_of_who_waits_says_so(ph: Installation, tmp_path: Path) -> None:
    first, second = (asleep(ph, tmp_path / name, name) for name in ("one", "two"))
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(ph.get, f"/content/{first}/", headers=BROWSER)
        time.sleep(0.5)
        waits = ph.get(f"/content/{second}/", headers=BROWSER)
    assert (opened.result().status_code, present(opened.result().text)) == (503, "Starting")
    assert (waits.status_code, present(waits.text)) == (503, "Waiting for its turn")
    until(lambda: present(ph.get(f"/content/{second}/", headers=BROWSER).text) == "Starting", 60)
    assert ph.get(f"/content/{first}/", headers=BROWSER).text == '"Ahoy"', "the turn of one ends when it is up"
    assert ph.get(f"/content/{second}/").text == '"Ahoy"', "a program waits for as long as it takes"
