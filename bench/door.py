"""The authz door: how long one question takes at 500 a second with 10,000 content items, over a unix socket as Envoy asks.

The door is the real one (routes, resolver, stages over SQLite) under uvicorn in a process of its own; the questions are
put at fixed moments, late answers or not.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from sqlalchemy import insert

from bench.rows import Row, percentile, show
from pilothouse.asgi.origins import Origins
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, OpenTo, Role, Share
from pilothouse.base.ids import new_guid, new_key
from pilothouse.content.models import Access, Bundle, Content, Worker, WorkerState
from pilothouse.content.service import WorkerRules
from pilothouse.content.service.routes import ContentRoutes
from pilothouse.content.service.scaling import Activity, Chooser
from pilothouse.db import Database, Watch
from pilothouse.db.schema import migrate
from pilothouse.db.secrets import load_keys
from pilothouse.gateway.app_tokens import AppTokens
from pilothouse.gateway.calls import Calls
from pilothouse.gateway.door import Door
from pilothouse.gateway.grants import Grants
from pilothouse.gateway.pages import Pages, PageTexts
from pilothouse.gateway.rates import Rates
from pilothouse.gateway.recent import RecentGrants
from pilothouse.gateway.visitors import NAMED, Visitors
from pilothouse.identity.models import User
from pilothouse.identity.service import Resolver, create_key
from pilothouse.launcher.models import Job
from pilothouse.settings import Settings
from pilothouse.stages import Stages, sync

ITEMS, PEOPLE, RATE, SECONDS, CONNECTIONS = 10_000, 50, 500, 8, 16
COLD_RATE = 100
SECRET = "bench"
P50_MS, P99_MS = 1.0, 5.0
MANIFEST = {"version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"}}


def rows() -> list[Row]:
    """Cold: each item is asked for the first time. Then warm, and warm while one item is changed each second."""
    with tempfile.TemporaryDirectory(prefix="ph-bench-", dir="/tmp") as folder:
        database = Database(f"sqlite:///{folder}/db.sqlite")
        guids, keys = _fill(database)
        address = Path(folder) / "door.sock"
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "-m", "bench.door", folder]
        server = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL)
        try:
            _wait_for(address)
            once = random.Random(1).sample(guids, RATE * SECONDS)
            cold = asyncio.run(_ask(address, once[: COLD_RATE * SECONDS], keys, rate=COLD_RATE))
            asyncio.run(_ask(address, once, keys))
            warm = asyncio.run(_ask(address, once, keys))
            with _Changes(database, guids):
                changing = asyncio.run(_ask(address, once, keys))
        finally:
            server.terminate()
            server.wait(10)
            database.close()
    return [
        _row("authz door, 500/s, 10,000 items", warm, has_budget=True),
        _row("… 100/s, each item for the first time", cold),
        _row("… one item changed each second", changing),
    ]


def _row(what: str, times_ms: Sequence[float], *, has_budget: bool = False) -> Row:
    p50, p99 = percentile(times_ms, 0.5), percentile(times_ms, 0.99)
    measured = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    if not has_budget:
        return Row(what, measured)
    return Row(what, measured, f"p50 ≤ {P50_MS:g} ms, p99 ≤ {P99_MS:g} ms", p50 <= P50_MS and p99 <= P99_MS)


class _Changes:
    """Somebody renames one item each second; the real control plane's caches must notice."""

    def __init__(self, database: Database, guids: Sequence[str]) -> None:
        self._database, self._count, self._stopping = database, len(guids), threading.Event()
        self._thread = threading.Thread(target=self._change)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _change(self) -> None:
        number = 0
        while not self._stopping.wait(1):
            number += 1
            with self._database.write() as tx:
                content = tx.get(Content, number % self._count + 1)
                assert content is not None
                content.title = f"Renamed {number}"


async def _ask(address: Path, guids: Sequence[str], keys: Sequence[str], *, rate: int = RATE) -> list[float]:
    """Milliseconds from each question to its answer; waiting for a free connection counts, a late timer of ours does not."""
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    times: list[float] = []
    askers = [asyncio.create_task(_asker(address, due, times)) for _ in range(CONNECTIONS)]
    chance, began = random.Random(2), time.perf_counter() + 0.2
    for number, guid in enumerate(guids):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        due.put_nowait((time.perf_counter(), _question(guid, chance.choice(keys))))
    while len(times) < len(guids):
        await asyncio.sleep(0.01)
        for asker in askers:
            if asker.done():
                asker.result()
    for asker in askers:
        asker.cancel()
    return times


async def _asker(address: Path, due: asyncio.Queue[tuple[float, bytes]], times: list[float]) -> None:
    reader, writer = await asyncio.open_unix_connection(str(address))
    while True:
        moment, question = await due.get()
        writer.write(question)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and b"x-ph-dst" in head, head
        times.append((time.perf_counter() - moment) * 1000)


def _question(guid: str, key: str) -> bytes:
    fields = {
        "host": "localhost:3940", "x-ph-door": SECRET, "x-ph-listener": "content", "x-ph-client": "127.0.0.1",
        "authorization": f"Key {key}", "accept": "*/*", "cookie": "_xsrf=2|5d0b3d0a|8c1f; theme=dark",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "referer": "http://localhost:3940/",
        "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", "sec-fetch-dest": "empty",
        "x-forwarded-proto": "http", "content-length": "0",
    }  # fmt: skip
    lines = [f"GET /__authz/content/{guid}/data.json?page=2 HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _fill(database: Database) -> tuple[list[str], list[str]]:
    """10,000 items with a running worker each, open to one of four access lists; returns their guids and people's keys."""
    migrate(database)
    with database.write() as tx:
        sync(tx, Settings().stages)
        people = [User(username=f"person{n}", guid=new_guid(), role=Role.ADMINISTRATOR.value) for n in range(PEOPLE)]
        tx.add_all(people)
        tx.flush()
        keys = [create_key(tx, SYSTEM, person, name="bench").plain for person in people]
        now, guids, numbers = clock.now(), [new_guid() for _ in range(ITEMS)], range(1, ITEMS + 1)
        tx.execute(insert(Content), [
            {"id": n, "guid": guid, "stage_id": 1, "lineage_id": guid, "owner_id": people[n % PEOPLE].id, "name": f"item-{n}",
             "title": f"Item {n}", "bundle_id": n, "access_type": OpenTo.ACL.value, "last_deployed_at": now}
            for n, guid in zip(numbers, guids, strict=True)
        ])  # fmt: skip
        tx.execute(insert(Access), [
            {"content_id": n, "user_id": people[(n + k) % PEOPLE].id, "share": Share.VIEWER.value}
            for n in numbers for k in range(1, 5)
        ])  # fmt: skip
        tx.execute(insert(Bundle), [
            {"id": n, "content_id": n, "digest": f"{n:064x}", "size_bytes": 1000, "archive_md5": "", "archive_sha1": "",
             "manifest": MANIFEST, "app_mode": "python-fastapi", "state": "ready"}
            for n in numbers
        ])  # fmt: skip
        tx.execute(insert(Job), [{"id": n, "key": new_key(), "tag": "run", "state": "running"} for n in numbers])
        tx.execute(insert(Worker), [
            {"content_id": n, "bundle_id": n, "job_id": n, "state": WorkerState.READY.value, "slot": 0, "reason": "",
             "address": f"127.64.{n // 250}.{n % 250 + 1}:20000", "ready_at": now}
            for n in numbers
        ])  # fmt: skip
    return guids, keys


def _wait_for(address: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(address)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the door did not start")


def serve(folder: Path) -> None:
    """The door alone, as the control plane runs it."""
    database = Database(f"sqlite:///{folder}/db.sqlite")
    watch = Watch(database)
    routes = ContentRoutes(
        database, watch, folder=lambda content, bundle: folder, rouse=lambda *ids: None,
        public_url=lambda stage: "http://localhost:3939",
        chooser=Chooser(WorkerRules(Settings(), Stages(database, watch)), lambda job: Activity()),
    )  # fmt: skip
    say = lambda *words: " ".join(words).encode()  # noqa: E731
    door = Door(
        secret=SECRET, resolver=Resolver(database, watch, cookie="ph_login_bench"), stages=Stages(database, watch), owners=[routes],
        origins=Origins("http://localhost:3939", port=3939, content_port=3940),
        files={}, pages=Pages(PageTexts(say, say, say, say, say, {}, lambda accepted: "en")),
        visitors=Visitors(lambda stage_id: NAMED, b"k"),
        grants=Grants(load_keys(folder / "grants.json"), issuer="bench", cookie="ph_grant_bench", recent=RecentGrants()),
        calls=Calls(),
        tokens=AppTokens(b"key"),
        rates=Rates(0),
    )  # fmt: skip
    uvicorn.run(
        door, uds=str(folder / "door.sock"), http="httptools", loop="uvloop", ws="none", lifespan="off",
        access_log=False, log_level="warning", proxy_headers=False, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]))
    else:
        show(rows())
