"""Grants in a whole installation: browsers with cookies, people who lose their access, workers, keys and gateways that go away."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.factories.installation import Installation, installed, project, until

from pilothouse.gateway.recent import REACH_S

PASSWORD = "harbour-light-7"
PEOPLE = ("clara", "locked", "removed", "left")
APP = """import os
from fastapi import FastAPI, Request
app = FastAPI()
BOOT = os.urandom(8).hex()

@app.get('/{path:path}')
def about(request: Request, path: str):
    return {'boot': BOOT, 'pid': os.getpid(), 'path': path, 'user': request.headers.get('rstudio-connect-credentials'),
            'cookies': sorted(request.cookies), 'request': request.headers.get('x-rsc-request')}
"""


class Browser(httpx.Client):
    """One person's browser on the content origin."""

    def __init__(self, ph: Installation, guid: str, name: str = "") -> None:
        super().__init__(base_url=f"{ph.content_url}/content/{guid}", timeout=60, headers={"Accept": "*/*"})
        if name:
            form = {"username": name, "password": PASSWORD, "url": ""}
            assert self.post(f"{ph.url}/__login__", data=form).status_code == 303

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def page(self) -> httpx.Response:
        return self.get("/", headers={"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})

    def data(self, path: str = "data", **options: Any) -> httpx.Response:
        return self.get(f"/{path}", headers={"Sec-Fetch-Mode": "cors"}, **options)

    @property
    def kid(self) -> str:
        """Which key signed the grant that it has."""
        token = next(c.value for c in self.cookies.jar if c.name.startswith("ph_grant_"))
        assert token is not None
        return str(json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))["kid"])


@pytest.fixture(scope="module")
def ph() -> Iterator[Installation]:
    with installed("[gateway]\nrequests_per_second = 0\n") as made:
        for name in PEOPLE:
            made.add_person(name, PASSWORD)
        yield made


@pytest.fixture(scope="module")
def app(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = project(tmp_path_factory.mktemp("app"), {"app.py": APP, "requirements.txt": "fastapi\n"})
    guid = ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--title", "Granted").guid
    assert ph.api("PATCH", f"v1/content/{guid}", json={"max_processes": 1}).status_code == 200, (
        "one worker, told by its boot"
    )
    for name in PEOPLE:
        body = {"principal_guid": person(ph, name)["guid"], "principal_type": "user", "role": "viewer"}
        assert ph.api("POST", f"v1/content/{guid}/permissions", json=body).status_code == 200
    return guid


def person(ph: Installation, name: str) -> dict[str, Any]:
    return dict(ph.api("GET", "v1/users", params={"prefix": name}).json()["results"][0])


def running(ph: Installation, guid: str) -> list[str]:
    """Keys of the jobs that run for it."""
    return [job["key"] for job in ph.api("GET", f"v1/content/{guid}/jobs").json() if job["end_time"] is None]


def logged(ph: Installation, mark: str) -> tuple[int, int]:
    """How many requests whose path holds ``mark`` asked the door, and how many went on by a grant."""
    time.sleep(1.5)
    lines = [json.loads(line) for line in (ph.home / "logs" / "access.log").read_text().splitlines() if mark in line]
    asked, granted = ([line for line in lines if mark in (line[key] or "")] for key in ("path", "granted"))
    return len(asked), len(granted)


def test_a_page_load_asks_once_and_what_it_loads_never(ph: Installation, app: str) -> None:
    with Browser(ph, app, "clara") as clara:
        page = clara.page().json()
        assert json.loads(page["user"])["user"] == "clara"
        for number in range(20):
            answer = clara.data(f"loaded-{number}").json()
            assert (answer["user"], answer["boot"], answer["cookies"]) == (page["user"], page["boot"], [])
            assert answer["request"] == f"{ph.content_url}/content/{app}/loaded-{number}"
        assert logged(ph, "loaded-") == (0, 20)
    until(lambda: len([row for row in used(ph, app) if "loaded-" in row["path"]]) == 20)


def used(ph: Installation, guid: str) -> list[dict[str, Any]]:
    import sqlite3

    with sqlite3.connect(f"file:{ph.home}/db/pilothouse.sqlite?mode=ro", uri=True) as database:
        rows = database.execute("select path, kind, principal_id from usage_event where path like ?", (f"%{guid}%",))
        return [dict(zip(("path", "kind", "principal_id"), row, strict=True)) for row in rows]


def test_a_key_asks_each_time_and_its_answers_carry_no_grant(ph: Installation, app: str) -> None:
    with Browser(ph, app, "clara") as clara:
        clara.page()
        clara.headers["Authorization"] = f"Key {ph.key}"
        for _ in range(3):
            answer = clara.data("keyed")
            assert json.loads(answer.json()["user"])["user"] != "clara", "the key wins over the cookies"
            assert "set-cookie" not in answer.headers
        assert logged(ph, "keyed") == (3, 0)
        clara.headers["Authorization"] = "Key ph_wrong"
        assert clara.data("keyed").status_code == 401


def test_who_loses_access_is_out_within_the_life_of_a_grant(ph: Installation, app: str) -> None:
    """Four people with a grant each: one is locked, one taken off the list, one ends the login elsewhere; one stays."""
    browsers = {name: Browser(ph, app, name) for name in PEOPLE}
    for browser in browsers.values():
        assert browser.page().status_code == 200
    began = time.monotonic()
    change = {"headers": {"Authorization": f"Key {ph.key}"}, "json": {"locked": True}}
    assert httpx.patch(f"{ph.url}/api/v1/users/{person(ph, 'locked')['guid']}", **change).status_code == 200
    rows = ph.api("GET", f"v1/content/{app}/permissions").json()
    mine = next(row["id"] for row in rows if row["principal_guid"] == person(ph, "removed")["guid"])
    assert ph.api("DELETE", f"v1/content/{app}/permissions/{mine}").status_code == 204
    sign_out(ph, "left")
    lost = {name: browsers[name] for name in ("locked", "removed", "left")}
    assert [browser.page().status_code for browser in lost.values()] == [302, 403, 302], "page loads at once"
    until_s, out = dict.fromkeys(lost, 0.0), set[str]()
    while len(out) < len(lost) and time.monotonic() - began < 90:
        for name, browser in lost.items():
            asked = time.monotonic() - began
            if browser.data("still").status_code == 200:
                until_s[name] = asked
            else:
                out.add(name)
        assert browsers["clara"].data("still").status_code == 200
        time.sleep(0.2)
    assert out == set(lost) and max(until_s.values()) <= REACH_S, until_s
    assert min(until_s.values()) > 30, "else nothing was seen of the bound"
    for browser in browsers.values():
        browser.close()


def sign_out(ph: Installation, name: str) -> None:
    """Elsewhere: this browser keeps its login cookie."""
    admin = {"Authorization": f"Key {ph.key}"}
    for login in httpx.get(f"{ph.url}/api/v1/users/{person(ph, name)['guid']}/logins", headers=admin).json():
        assert httpx.delete(f"{ph.url}/api/v1/logins/{login['id']}", headers=admin).status_code == 204


def test_signing_out_acts_at_once_because_the_login_cookie_is_gone(ph: Installation, app: str) -> None:
    with Browser(ph, app, "clara") as clara:
        clara.page()
        assert clara.data().status_code == 200
        for kept in [c for c in clara.cookies.jar if c.name.startswith("ph_login_")]:
            clara.cookies.delete(kept.name, kept.domain, kept.path)
        assert clara.data().status_code in (302, 401)


def test_a_worker_that_died_is_replaced_behind_a_grant(ph: Installation, app: str) -> None:
    with Browser(ph, app, "clara") as clara:
        before = clara.page().json()
        (key,) = running(ph, app)
        assert ph.api("DELETE", f"v1/content/{app}/jobs/{key}").status_code in (200, 202, 204)
        until(lambda: key not in running(ph, app))
        moved = clara.data("moved")
        assert moved.status_code == 307
        assert not any(cookie.name.startswith("ph_grant_") for cookie in clara.cookies.jar)
        after = clara.data("moved", follow_redirects=True).json()
        assert after["boot"] != before["boot"] and after["user"] == before["user"]
        assert clara.data("moved").json()["boot"] == after["boot"]


def test_a_worker_is_not_frozen_while_a_grant_may_lead_to_it(ph: Installation, app: str) -> None:
    assert ph.api("PATCH", f"v1/content/{app}", json={"idle_timeout": 1}).status_code == 200
    try:
        with Browser(ph, app, "clara") as clara:
            began, boot = time.monotonic(), clara.page().json()["boot"]
            (key,) = running(ph, app)
            frozen = ph.home / "jobs" / key / "frozen"
            while time.monotonic() - began < REACH_S - 5:
                assert not frozen.exists(), time.monotonic() - began
                time.sleep(1)
            assert clara.data("late", timeout=5).json()["boot"] == boot
            until(frozen.exists, REACH_S + 60)
            assert clara.data("thawed").json()["boot"] == boot
            assert logged(ph, "thawed") == (1, 0)
    finally:
        ph.api("PATCH", f"v1/content/{app}", json={"idle_timeout": None})


async def many(ph: Installation, guid: str, count: int, cookies: dict[str, str]) -> list[int]:
    headers = {"Sec-Fetch-Mode": "cors", "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(headers=headers, timeout=120, limits=limits) as client:
        url = f"{ph.content_url}/content/{guid}/data"
        return [answer.status_code for answer in await asyncio.gather(*(client.get(url) for _ in range(count)))]


def test_a_thousand_strangers_start_nothing_and_a_thousand_who_may_start_one(ph: Installation, app: str) -> None:
    for key in running(ph, app):
        ph.api("DELETE", f"v1/content/{app}/jobs/{key}")
    until(lambda: not running(ph, app))
    jobs = len(ph.api("GET", f"v1/content/{app}/jobs").json())
    assert set(asyncio.run(many(ph, app, 1000, {}))) == {302}, "to the sign-in"
    time.sleep(2)
    assert len(ph.api("GET", f"v1/content/{app}/jobs").json()) == jobs
    with Browser(ph, app, "clara") as clara:
        cookies = {c.name: c.value or "" for c in clara.cookies.jar}
    assert asyncio.run(many(ph, app, 1000, cookies)) == [200] * 1000
    assert len(ph.api("GET", f"v1/content/{app}/jobs").json()) == jobs + 1


class Load:
    """Browsers of clara that ask one thing after the other until left; ``failed`` holds what was no right answer."""

    def __init__(self, ph: Installation, guid: str, count: int = 6) -> None:
        self.failed: list[tuple[float, str]] = []
        self.done, self._on = 0, True
        self.browsers = [Browser(ph, guid, "clara") for _ in range(count)]
        self.boot = [browser.page().json()["boot"] for browser in self.browsers][0]
        self._threads = [threading.Thread(target=self._ask, args=(browser,)) for browser in self.browsers]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._on = False
            for thread in self._threads:
                thread.join()
            for browser in self.browsers:
                browser.close()

    def _ask(self, browser: Browser) -> None:
        while self._on:
            try:
                answer = browser.data("load")
                if answer.status_code != 200 or answer.json()["boot"] != self.boot:
                    self.failed.append((time.monotonic(), f"{answer.status_code} {answer.text[:200]}"))
                self.done += answer.status_code == 200
            except httpx.HTTPError as error:
                self.failed.append((time.monotonic(), repr(error)))
            time.sleep(0.02)


def test_the_key_of_grants_is_changed_under_load_and_nobody_notices(ph: Installation, app: str) -> None:
    load, envoy = Load(ph, app), ph.process("envoy")
    first = load.browsers[0].kid
    with load.running():
        time.sleep(1)
        keys = [first]
        for _ in range(2):
            done = json.loads(ph.cli("secrets", "rotate-grants", "--home", str(ph.home), "--json").stdout)
            assert done["gateway"] == "takes it over"
            keys.append(done["key"])
            until(lambda key=done["key"]: taken_over(ph, key), 60)
            for browser in load.browsers:  # a page load brings the new key's grant
                until(lambda b=browser, key=done["key"]: b.page().status_code == 200 and b.kid == key, 20)
            before = load.done
            until(lambda before=before: load.done > before + 30)
    assert load.failed == []
    assert len(set(keys)) == 3 and ph.process("envoy") not in (0, None)
    with Browser(ph, app, "clara") as clara:
        clara.page()
        for _ in range(5):
            clara.data("after-rotation")
    assert logged(ph, "after-rotation") == (0, 5), "the new Envoy knows the new key"
    assert sorted(json.loads((ph.home / "keys" / "grants.json").read_text())["keys"]) == sorted(keys[1:])
    assert (ph.home / "keys" / "grants.json").stat().st_mode & 0o777 == 0o600
    assert envoy != json.loads((ph.home / "run" / "processes.json").read_text())["envoy"]["pid"]


def taken_over(ph: Installation, kid: str) -> bool:
    """Whether the Envoy that the supervisor calls its present one knows the key."""
    known = json.loads((ph.home / "run" / "processes.json").read_text())["envoy"]
    words = Path(f"/proc/{known['pid']}/cmdline").read_bytes().split(b"\0")
    return kid in Path(os.fsdecode(words[2])).read_text()


def test_envoy_is_killed_under_load_and_grants_go_on_counting(ph: Installation, app: str) -> None:
    load = Load(ph, app)
    with load.running():
        time.sleep(1)
        known = json.loads((ph.home / "run" / "processes.json").read_text())
        killed = time.monotonic()
        for record in (known["envoy"], *known["leaving"]):
            os.kill(record["pid"], signal.SIGKILL)
        back = until(lambda: load.done and _answers(ph) and time.monotonic(), 30)
        time.sleep(1)
        before = load.done
        until(lambda: load.done > before + 30)
    late = [error for when, error in load.failed if when > back + 2]
    assert late == [], late
    assert all("Error" in error for _, error in load.failed), "cut connections, and never a wrong answer"
    assert back - killed < 10
    assert logged(ph, "load")[1] > 30


def _answers(ph: Installation) -> bool:
    try:
        return httpx.get(f"{ph.content_url}/__ping__", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_control_plane_is_killed_and_what_is_granted_goes_on(ph: Installation, app: str) -> None:
    with Browser(ph, app, "clara") as clara:
        boot = clara.page().json()["boot"]
        killed = ph.kill("control-plane")
        answers = 0
        while not (new := ph.runs("control-plane")) or new == killed or answers < 20:
            assert clara.data("without", timeout=5).json()["boot"] == boot
            answers += 1
        assert answers >= 20
