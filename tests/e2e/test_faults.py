"""Killed at every step: deploys end correctly after a restart and apps keep serving, on both databases."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.factories.installation import Installation, database_url, installed, project, until

from pilothouse.testing.postgres import PostgresServer

APP = "import os\nfrom fastapi import FastAPI\napp = FastAPI()\nBOOT = os.urandom(8).hex()\n\n@app.get('/')\ndef about():\n    return {'boot': BOOT, 'version': VERSION}\n\nVERSION = 'V0'\n"

#: The line that each step of a deploy prints when it begins.
STEPS = (
    "unpacking",
    "Choosing a Python",
    "Locking packages",
    "Restoring the library",
    "Starting it once",
    "Activating bundle",
)
TIMES = 2


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ph(request: pytest.FixtureRequest) -> Iterator[Installation]:
    with installed("", database_url(request, "faults")) as made:
        yield made


@pytest.fixture(scope="module")
def app(ph: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = project(tmp_path_factory.mktemp("app"), {"app.py": APP, "requirements.txt": "fastapi\n"})
    return ph.deploy("fastapi", folder, "--entrypoint", "app:app", "--title", "Kept").guid


def upload(ph: Installation, guid: str, folder: Path) -> str:
    import io
    import json
    import tarfile

    manifest = {
        "version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
        "python": {"version": "3.11.0", "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
    }  # fmt: skip
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in {
            **{p.name: p.read_text() for p in folder.iterdir()},
            "manifest.json": json.dumps(manifest),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    answer = ph.api("POST", f"v1/content/{guid}/bundles", content=out.getvalue())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def lines(ph: Installation, task: str) -> list[str]:
    try:
        return list(ph.api("GET", f"v1/tasks/{task}").json()["output"])
    except (httpx.HTTPError, KeyError, ValueError):
        return []


@pytest.mark.parametrize("round_", range(TIMES))
@pytest.mark.parametrize("step", STEPS)
def test_a_deploy_whose_control_plane_is_killed_at_a_step_ends_correctly(
    ph: Installation, app: str, tmp_path: Path, step: str, round_: int
) -> None:
    version = f"{step.split()[0]}-{round_}"
    folder = project(tmp_path, {"app.py": APP.replace("V0", version), "requirements.txt": "fastapi\n"})
    bundle = upload(ph, app, folder)
    task = ph.api("POST", f"v1/content/{app}/deploy", json={"bundle_id": bundle}).json()["task_id"]
    until(lambda: any(step in line for line in lines(ph, task)), 60)
    ph.kill("control-plane")
    done = until(lambda: t if (t := _task(ph, task)) and t["finished"] else None, 90)
    assert done["code"] == 0, done
    assert ph.api("GET", f"v1/content/{app}").json()["bundle_id"] == bundle
    assert until(lambda: _get(ph, app))["version"] == version
    deployed = [
        e
        for e in _events(ph)
        if e["name"] == "content:content:activated" and e["changes"].get("bundle_id", [None, None])[1] == int(bundle)
    ]
    assert len(deployed) == 1, "a bundle is activated exactly once"


def test_fifty_clients_notice_nothing_when_the_control_plane_dies(ph: Installation, app: str) -> None:
    """A login-free way in: fifty threads with a key; every request is answered, by the same process."""
    boot = until(lambda: _get(ph, app))["boot"]
    stop, failures, boots = threading.Event(), [], set()

    def client() -> None:
        with httpx.Client(headers={"Authorization": f"Key {ph.key}"}, timeout=30) as http:
            while not stop.is_set():
                try:
                    answer = http.get(f"{ph.url}/content/{app}/")
                    if answer.status_code == 200:
                        boots.add(answer.json()["boot"])
                    else:
                        failures.append(f"{answer.status_code} {answer.text}")
                except (httpx.HTTPError, ValueError) as error:
                    failures.append(repr(error))
                time.sleep(0.2)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            time.sleep(3)  # one that ran for so long is replaced at once, however often the tests before killed it
            killed = ph.kill("control-plane")
            until(lambda killed=killed: (new := ph.runs("control-plane")) and new != killed)
            until(lambda: _get(ph, app))
    finally:
        stop.set()
    for thread in threads:
        thread.join(40)
    assert boots == {boot}
    assert failures == []


def test_envoy_and_supervisor_come_back_and_adopt(ph: Installation, app: str) -> None:
    boot = until(lambda: _get(ph, app))["boot"]
    control_plane = ph.process("control-plane")
    ph.kill("envoy")
    assert until(lambda: _get(ph, app), 20)["boot"] == boot
    ph.kill("supervisor")
    assert _get(ph, app)["boot"] == boot
    ph.start()
    assert ph.process("control-plane") == control_plane
    assert until(lambda: _get(ph, app), 20)["boot"] == boot


def test_no_job_stays_open_that_does_not_run(ph: Installation, app: str) -> None:
    """After all those kills: the list of open jobs is the list of running ones."""
    until(lambda: _get(ph, app), 60)
    until(lambda: all(j["pid"] and Path(f"/proc/{j['pid']}").exists() for j in _open_jobs(ph, app)), 60)


def test_a_worker_that_dies_is_noticed_and_started_again(ph: Installation, app: str) -> None:
    boot = until(lambda: _get(ph, app), 60)["boot"]
    running = until(lambda: [j for j in _open_jobs(ph, app) if j["pid"]])
    for job in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(job["pid"]), signal.SIGKILL)
    assert until(lambda: (a := _get(ph, app)) and a["boot"] != boot and a, 90)
    keys = {j["key"] for j in running}
    ended = until(lambda: [j for j in _jobs(ph, app) if j["key"] in keys and j["end_time"] is not None])
    assert 137 in {j["exit_code"] for j in ended}


def test_apps_serve_and_a_deploy_ends_while_the_database_is_away_for_ten_seconds(
    ph: Installation, app: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """PostgreSQL stopped; SQLite held by another process."""
    boot = until(lambda: _get(ph, app))["boot"]
    folder = project(tmp_path, {"app.py": APP.replace("V0", "away"), "requirements.txt": "fastapi\n"})
    bundle = upload(ph, app, folder)
    task = ph.api("POST", f"v1/content/{app}/deploy", json={"bundle_id": bundle}).json()["task_id"]
    with _database_away(ph, request):
        for _ in range(10):
            answer = _get(ph, app)
            assert answer is not None, "an app must go on without the database"
            assert answer["boot"] == boot or answer["version"] == "away"
            time.sleep(1)
    done = until(lambda: t if (t := _task(ph, task)) and t["finished"] else None, 90)
    assert done["code"] == 0, done
    assert until(lambda: (a := _get(ph, app)) and a["version"] == "away")


@contextlib.contextmanager
def _database_away(ph: Installation, request: pytest.FixtureRequest) -> Iterator[None]:
    if ph.db_url is not None:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.stop()
        try:
            yield
        finally:
            server.start()
        return
    holder = sqlite3.connect(ph.home / "db" / "pilothouse.sqlite", isolation_level=None, timeout=30)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def test_an_app_that_fills_memory_is_stopped_and_says_why(ph: Installation, tmp_path: Path) -> None:
    source = APP + "\nkept = []\n@app.get('/fill')\ndef fill():\n    while True: kept.append(bytearray(20_000_000))\n"
    guid = ph.deploy(
        "fastapi", project(tmp_path, {"app.py": source, "requirements.txt": "fastapi\n"}), "--entrypoint", "app:app"
    ).guid
    ph.api("PATCH", f"v1/content/{guid}", json={"memory_limit": 200 * 1024 * 1024})
    until(lambda: _get(ph, guid), 30)
    with contextlib.suppress(httpx.HTTPError):
        assert ph.get(f"/content/{guid}/fill", timeout=60).status_code >= 500
    job = until(
        lambda: next((j for j in ph.api("GET", f"v1/content/{guid}/jobs").json() if j["exit_code"] == 137), None), 30
    )
    assert job["end_time"] is not None
    assert until(lambda: _get(ph, guid), 60)["version"] == "V0"


def test_an_app_that_ends_by_itself_after_a_while_is_started_again(ph: Installation, tmp_path: Path) -> None:
    """It served for long enough to count as sound, so nobody has to wait for the next one."""
    source = APP + "\nimport threading\nthreading.Timer(40, os._exit, [9]).start()\n"
    folder = project(tmp_path, {"app.py": source, "requirements.txt": "fastapi\n"})
    guid = ph.deploy("fastapi", folder, "--entrypoint", "app:app").guid
    first = until(lambda: _get(ph, guid))["boot"]
    ended = until(lambda: next((j for j in _jobs(ph, guid) if j["exit_code"] == 9), None), 60)
    assert ended["end_time"] is not None
    assert until(lambda: _get(ph, guid), 30)["boot"] != first


def test_what_runs_ends_with_the_server_when_that_was_asked_and_starts_again_after(ph: Installation, app: str) -> None:
    until(lambda: _get(ph, app), 90)
    assert _jobs_of(ph)
    ph.stop()
    until(lambda: not _jobs_of(ph), 30)
    ph.start()
    assert until(lambda: _get(ph, app), 90)["version"] != ""


def _jobs(ph: Installation, guid: str) -> list[dict[str, Any]]:
    return list(ph.api("GET", f"v1/content/{guid}/jobs").json())


def _open_jobs(ph: Installation, guid: str) -> list[dict[str, Any]]:
    return [j for j in _jobs(ph, guid) if j["end_time"] is None]


def _jobs_of(ph: Installation) -> list[int]:
    """Processes that run from one of the installation's libraries; one that only waits to be reaped is none."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(ph.home / "libraries").encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _task(ph: Installation, key: str) -> dict[str, object] | None:
    try:
        answer = ph.api("GET", f"v1/tasks/{key}")
        return dict(answer.json()) if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        return None


def _get(ph: Installation, guid: str) -> dict[str, str] | None:
    try:
        answer = ph.get(f"/content/{guid}/", timeout=20)
        return dict(answer.json()) if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        return None


def _events(ph: Installation) -> list[dict[str, object]]:
    answer = httpx.get(
        f"{ph.url}/api/v1/audit/events", headers={"Authorization": f"Key {ph.key}"}, params={"limit": 1000}, timeout=30
    )
    return list(answer.json())
