"""Starts of a running installation: they take turns, and who waits is told so."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.factories.installation import Installation, installed, project, until

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


NODE = {
    "package.json": json.dumps({"name": "ship", "version": "1.0.0", "main": "app.js"}),
    "package-lock.json": json.dumps(
        {
            "name": "ship",
            "version": "1.0.0",
            "lockfileVersion": 3,
            "packages": {"": {"name": "ship", "version": "1.0.0"}},
        }
    ),
    "app.js": "const s = require('http').createServer((_, a) => a.end('Ahoy'));\nsetTimeout(() => s.listen(process.env.PORT), 1500);\n",
}
ITEMS, AT_ONCE, A_SECOND = 40, 30, 0.5


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, list[str]]]:
    """Many small apps with the same bundle, none of which runs."""
    if shutil.which("node") is None:
        pytest.skip("NOT EXERCISED: how many starts one visitor may cause (no Node.js)")
    with installed("[tasks]\nstarts = 4\nbuilds = 4\n") as made:
        first = made.deploy("nodejs", project(tmp_path_factory.mktemp("ship"), NODE), "--title", "Ship").guid
        bundle = made.api("GET", f"v1/content/{first}").json()["bundle_id"]
        archive = made.api("GET", f"v1/content/{first}/bundles/{bundle}/download").content
        with ThreadPoolExecutor(4) as pool:
            guids = list(pool.map(lambda number: copied(made, archive, number), range(ITEMS)))
        for guid in guids:
            for job in made.api("GET", f"v1/content/{guid}/jobs").json():
                made.api("DELETE", f"v1/content/{guid}/jobs/{job['key']}")
        until(lambda: not any(running(made, guid) for guid in guids), 90)
        yield made, guids


def copied(ph: Installation, archive: bytes, number: int) -> str:
    guid = ph.api("POST", "v1/content", json={"name": f"ship-{number}"}).json()["guid"]
    bundle = ph.api("POST", f"v1/content/{guid}/bundles", content=archive).json()["id"]
    task = ph.api("POST", f"v1/content/{guid}/deploy", json={"bundle_id": bundle}).json()["task_id"]
    done = until(lambda: t if (t := ph.api("GET", f"v1/tasks/{task}").json())["finished"] else None, 120)
    assert done["code"] == 0, done
    return str(guid)


def running(ph: Installation, guid: str) -> bool:
    return any(job["end_time"] is None for job in ph.api("GET", f"v1/content/{guid}/jobs").json())


def test_one_visitor_starts_so_much_and_keeps_nobody_else_from_starting(
    fleet: tuple[Installation, list[str]],
) -> None:
    ph, guids = fleet
    ph.add_person("clara", "harbour-light-7", "--role", "administrator")
    other = (
        ph.cli("key", "create", "--user", "clara", "--name", "starts", "--home", str(ph.home))
        .stdout.strip()
        .splitlines()[-1]
    )
    began = time.monotonic()
    with ThreadPoolExecutor(ITEMS) as pool:
        answers = list(pool.map(lambda guid: ph.get(f"/content/{guid}/", headers=BROWSER), guids))
    allowed = AT_ONCE + (time.monotonic() - began) * A_SECOND
    assert {answer.status_code for answer in answers} <= {200, 503}
    until(lambda: sum(running(ph, guid) for guid in guids) >= AT_ONCE, 90)
    time.sleep(5)
    started = {guid for guid in guids if running(ph, guid)}
    assert AT_ONCE <= len(started) <= allowed + 1 < ITEMS
    asleep = next(guid for guid in guids if guid not in started)
    assert ph.get(f"/content/{asleep}/", key=other).text == "Ahoy", "somebody else has starts of their own"
