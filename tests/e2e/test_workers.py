"""Workers of a running installation: more under load and fewer after, kept when killed, drained with open sockets, never frozen in use."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.factories.installation import Installation, database_url, installed, project, until
from websockets.sync.client import ClientConnection, connect

APP = """
import asyncio, os
from fastapi import FastAPI, WebSocket
app = FastAPI()
BOOT = os.urandom(8).hex()

@app.get("/")
def about():
    return {"boot": BOOT, "pid": os.getpid(), "version": "VERSION"}

@app.get("/slow")
async def slow(seconds: float):
    await asyncio.sleep(seconds)
    return {"boot": BOOT}

@app.websocket("/socket")
async def socket(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.receive_text()
        await socket.send_text(BOOT)
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ph(request: pytest.FixtureRequest) -> Iterator[Installation]:
    with installed("[content]\ninit_timeout = 30\nidle_timeout = 600\n", database_url(request, "workers")) as made:
        yield made


def deploy(ph: Installation, folder: Path, version: str = "one", *arguments: str) -> str:
    files = {"app.py": APP.replace("VERSION", version), "requirements.txt": "fastapi\nwebsockets\n"}
    return ph.deploy("fastapi", project(folder, files), "--entrypoint", "app:app", *arguments).guid


@pytest.fixture(scope="module")
def app(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    return deploy(ph, tmp_path_factory.mktemp("app"))


@pytest.fixture
def settled(ph: Installation, app: str) -> Iterator[str]:
    """The app with default settings and one worker, afterwards as well."""
    yield app
    fields = ("min_processes", "max_processes", "max_conns_per_process", "load_factor", "idle_timeout")
    change(ph, app, **dict.fromkeys(fields))


def change(ph: Installation, guid: str, **fields: Any) -> None:
    answer = ph.api("PATCH", f"v1/content/{guid}", json=fields)
    assert answer.status_code == 200, answer.text


def visit(ph: Installation, guid: str) -> ClientConnection:
    """An open WebSocket that a key authenticates."""
    url = f"{ph.url}/content/{guid}/socket".replace("http:", "ws:")
    return connect(url, additional_headers={"Authorization": f"Key {ph.key}"}, open_timeout=60, ping_interval=None)


def boot_of(socket: ClientConnection) -> str:
    socket.send("who?")
    return str(socket.recv(timeout=30))


def jobs(ph: Installation, guid: str) -> list[dict[str, Any]]:
    """Those that run and have not been asked to end."""
    found = ph.api("GET", f"v1/content/{guid}/jobs").json()
    return [j for j in found if j["end_time"] is None and j["pid"] and not (ph.home / "jobs" / j["key"] / "cancelled").exists()]  # fmt: skip


def frozen(ph: Installation, guid: str) -> bool:
    running = jobs(ph, guid)
    return len(running) == 1 and (ph.home / "jobs" / running[0]["key"] / "frozen").exists()


def test_workers_are_added_under_load_to_the_most_and_go_to_the_fewest(ph: Installation, settled: str) -> None:
    change(ph, settled, max_conns_per_process=4, load_factor=0.5, max_processes=3, min_processes=1, idle_timeout=1)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(visit(ph, settled)) for _ in range(3)]
        until(lambda: len(jobs(ph, settled)) == 2, 60)
        until(lambda: all(boot_of(one) for one in sockets))
        sockets += [stack.enter_context(visit(ph, settled)) for _ in range(4)]
        until(lambda: len(jobs(ph, settled)) == 3, 60)
        sockets += [stack.enter_context(visit(ph, settled)) for _ in range(5)]
        per_worker = Counter(boot_of(one) for one in sockets)
        assert len(per_worker) == 3 and max(per_worker.values()) <= 4, per_worker
        time.sleep(4)
        assert len(jobs(ph, settled)) == 3, "no more than it may have"
        with pytest.raises(Exception, match="503"), visit(ph, settled):
            raise AssertionError("a thirteenth connection found a place")
    until(lambda: len(jobs(ph, settled)) == 1, 60)
    time.sleep(8)
    assert len(jobs(ph, settled)) == 1 and not frozen(ph, settled), "the fewest stay awake"


@contextlib.contextmanager
def called(ph: Installation, guid: str, path: str, *, programs: int, pause_s: float = 0) -> Iterator[Counter[str]]:
    """So many programs call it one time after the other; how often each worker has answered."""
    over, served = threading.Event(), Counter[str]()

    def call() -> None:
        while not over.wait(pause_s):
            served[ph.get(f"/content/{guid}/{path}").json()["boot"]] += 1

    with ThreadPoolExecutor(programs) as pool:
        calls = [pool.submit(call) for _ in range(programs)]
        try:
            yield served
        finally:
            over.set()
    assert [one.exception() for one in calls] == [None] * programs


def test_an_api_that_programs_call_at_once_gets_a_second_worker_and_loses_it_again(
    ph: Installation, settled: str
) -> None:
    change(ph, settled, max_conns_per_process=4, load_factor=0.5, max_processes=2, idle_timeout=1)
    until(lambda: ph.get(f"/content/{settled}/").status_code == 200)
    with called(ph, settled, "slow?seconds=0.5", programs=6) as served:
        until(lambda: len(jobs(ph, settled)) == 2, 60)
        served.clear()
        until(lambda: len(served) == 2 and min(served.values()) > 20, 60)
        assert max(served.values()) < 2 * min(served.values()), f"not shared: {served}"
    with called(ph, settled, "", programs=1, pause_s=0.3) as served:
        until(lambda: len(jobs(ph, settled)) == 1, 60)
        served.clear()
        until(lambda: sum(served.values()) > 10, 30)
        assert len(served) == 1 and len(jobs(ph, settled)) == 1


def test_the_fewest_are_kept_when_they_are_killed(ph: Installation, settled: str) -> None:
    change(ph, settled, min_processes=2)
    until(lambda: len(jobs(ph, settled)) == 2, 60)
    until(lambda: ph.get(f"/content/{settled}/").status_code == 200)
    before = {j["key"]: int(j["pid"]) for j in jobs(ph, settled)}
    time.sleep(11)  # they served for long enough to count as sound
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(found := jobs(ph, settled)) == 2 and not before.keys() & {j["key"] for j in found}, 60)
    until(lambda: ph.get(f"/content/{settled}/").status_code == 200)


def test_a_frozen_app_is_thawed_once_for_a_hundred_requests(ph: Installation, settled: str) -> None:
    change(ph, settled, idle_timeout=1)
    boot = until(lambda: (a := ph.get(f"/content/{settled}/")).status_code == 200 and a.json()["boot"])
    until(lambda: frozen(ph, settled), 90)
    change(ph, settled, idle_timeout=600)
    answers = asyncio.run(_at_once(ph, f"{ph.url}/content/{settled}/", 100))
    assert Counter(answers) == {(200, boot): 100}


async def _at_once(ph: Installation, url: str, count: int) -> list[tuple[int, str]]:
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(headers={"Authorization": f"Key {ph.key}"}, timeout=60, limits=limits) as client:
        answers = await asyncio.gather(*(client.get(url) for _ in range(count)))
    return [(a.status_code, a.json().get("boot", "")) for a in answers]


def test_an_app_is_not_frozen_while_a_socket_is_open_or_a_request_under_way(ph: Installation, settled: str) -> None:
    change(ph, settled, idle_timeout=1, max_processes=1)
    with visit(ph, settled) as socket:
        boot = boot_of(socket)
        time.sleep(15)
        assert not frozen(ph, settled)
        assert boot_of(socket) == boot
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ph.get, f"/content/{settled}/slow?seconds=20")
        time.sleep(15)
        assert not frozen(ph, settled) and not slow.done()
        assert slow.result(30).json()["boot"] == boot
    until(lambda: frozen(ph, settled), 90)


def test_who_comes_around_the_moment_of_freezing_is_answered_and_no_open_socket_is_ever_frozen(
    ph: Installation, settled: str
) -> None:
    change(ph, settled, idle_timeout=1, max_processes=1)
    boot = until(lambda: (a := ph.get(f"/content/{settled}/")).status_code == 200 and a.json()["boot"])
    met = set()
    for tenths in range(50, 90, 6):  # frozen is who was quiet for more than five seconds, looked at each second
        time.sleep(tenths / 10)
        met.add(frozen(ph, settled))
        with visit(ph, settled) as socket:
            for _ in range(12):
                assert boot_of(socket) == boot and not frozen(ph, settled), f"after {tenths / 10} s"
                time.sleep(0.1)
    assert met == {True, False}, "some came before it was frozen, some after"


def test_a_redeploy_lets_open_sockets_and_requests_finish(ph: Installation, tmp_path: Path) -> None:
    guid = deploy(ph, tmp_path / "one", "one")
    with visit(ph, guid) as socket, ThreadPoolExecutor(1) as pool:
        old = boot_of(socket)
        slow = pool.submit(ph.get, f"/content/{guid}/slow?seconds=15")
        assert deploy(ph, tmp_path / "two", "two", "--app-id", guid) == guid
        answer = ph.get(f"/content/{guid}/").json()
        assert answer["version"] == "two" and answer["boot"] != old
        assert slow.result(60).json()["boot"] == old
        time.sleep(8)
        assert boot_of(socket) == old, "the old worker waits for its visitor"
    until(lambda: len(jobs(ph, guid)) == 1, 90)
    assert ph.get(f"/content/{guid}/").json()["version"] == "two"


def test_an_app_in_a_crash_loop_is_not_started_for_every_visitor(ph: Installation, tmp_path: Path) -> None:
    source = (
        "import os, threading\n"
        + APP
        + "\nif not os.environ.get('SOUND'):\n    threading.Timer(2, os._exit, [3]).start()\n"
    )
    files = {"app.py": source.replace("VERSION", "one"), "requirements.txt": "fastapi\nwebsockets\n"}
    guid = ph.deploy("fastapi", project(tmp_path, files), "--entrypoint", "app:app", "--no-verify").guid
    until(lambda: ph.get(f"/content/{guid}/", headers={"Accept": "text/html"}).status_code == 502, 60)
    began, tried = time.monotonic(), 0
    while time.monotonic() - began < 20:
        assert ph.get(f"/content/{guid}/").status_code in (200, 502, 503)
        tried += 1
    started = len(ph.api("GET", f"v1/content/{guid}/jobs").json())
    assert tried > 50 and started <= 4, (tried, started)
    change(ph, guid, min_processes=1)
    time.sleep(5)
    assert len(ph.api("GET", f"v1/content/{guid}/jobs").json()) <= 5
