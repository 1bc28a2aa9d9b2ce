"""Deploying, thawing and idling of a whole installation, beside the same work by hand with the same tools and flags.

App: FastAPI and pandas, pinned. "By hand" is `uv venv`, `uv pip install --compile-bytecode` from a warm cache, and uvicorn;
the server's cache is warm as well. Rounds are interleaved.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import statistics
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import uv
from tests.factories.installation import Installation, free_port, new_installation, remove, until

from bench.rows import Row
from pilothouse.runtimes.contract import Runtime
from pilothouse.runtimes.discover import discover

ROUNDS = 5
APP = "import os\nimport pandas\nfrom fastapi import FastAPI\napp = FastAPI()\nBOOT = os.urandom(8).hex()\n\n@app.get('/')\ndef about():\n    return {'boot': BOOT, 'version': '%s'}\n"
REQUIREMENTS = "fastapi\npandas\nuvicorn\nwebsockets\n"
CLEAN = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")}


def rows() -> Iterator[Row]:
    ph = new_installation()
    try:
        began = time.monotonic()
        ph.start()
        ready = time.monotonic() - began
        ph.make_administrator()
        yield from _deploys(ph)
        yield from _idle(ph, ready)
    finally:
        remove(ph)


def _deploys(ph: Installation) -> Iterator[Row]:
    guid = ph.api("POST", "v1/content", json={"name": "bench"}).json()["guid"]
    _deploy(ph, guid, "warm-up")
    runtime = next(
        r for r in discover(for_uid=1) if r.version == ph.api("GET", f"v1/content/{guid}").json()["py_version"]
    )
    library = next(p for p in (ph.home / "libraries").iterdir() if p.is_dir())
    ours, draft, by_hand = [], [], []
    for number in range(ROUNDS):
        by_hand.append(_start_by_hand(library / "bin" / "python", ph.root / "hand", f"h{number}"))
        ours.append(_deploy(ph, guid, f"o{number}"))
        draft.append(_deploy(ph, guid, f"d{number}", draft=True))
    yield _against("redeploy, lock unchanged", ours, by_hand, 1.5)
    yield _against("redeploy as a draft, then activated", draft, by_hand, 1.5)
    first, hand = [], []
    for number in range(3):
        hand.append(_first_by_hand(runtime, ph.root / f"hand-{number}"))
        shutil.rmtree(ph.home / "libraries", ignore_errors=True)
        (ph.home / "libraries").mkdir()
        first.append(_deploy(ph, guid, f"f{number}"))
    yield _against("first deploy, warm cache, bytecode included", first, hand, 1.3)
    yield _thaw(ph, guid)


def _deploy(ph: Installation, guid: str, version: str, *, draft: bool = False) -> float:
    """Seconds from the first byte of the upload to the first answer of the new version."""
    data = _archive(version)
    with httpx.Client(
        base_url=f"{ph.url}/__api__/v1/content/{guid}/", headers={"Authorization": f"Key {ph.key}"}, timeout=120
    ) as api:
        began = time.monotonic()
        bundle = api.post("bundles", content=data).json()["id"]
        for activate in (False, True) if draft else (True,):
            task = api.post("deploy", json={"bundle_id": bundle, "activate": activate}).json()["task_id"]
            seen = 0
            while not (view := api.get(f"{ph.url}/__api__/v1/tasks/{task}", params={"first": seen, "wait": 30}).json())[
                "finished"
            ]:
                seen = view["last"]
            assert view["code"] == 0, view
        while api.get(f"{ph.url}/content/{guid}/").json()["version"] != version:
            time.sleep(0.005)
        return time.monotonic() - began


def _archive(version: str) -> bytes:
    manifest = {
        "version": 1,
        "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"},
        "python": {"version": "3.11.0", "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in (
            ("app.py", APP % version),
            ("requirements.txt", REQUIREMENTS),
            ("manifest.json", json.dumps(manifest)),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def _start_by_hand(python: Path, folder: Path, version: str) -> float:
    """Unpack and start: what any server has to do."""
    data, port = _archive(version), free_port()
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(folder, filter="data")
    command = [
        str(python),
        "-m",
        "uvicorn",
        "app:app",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    server = subprocess.Popen(command, cwd=folder, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5).raise_for_status()
                return time.monotonic() - began
            except httpx.HTTPError:
                time.sleep(0.005)
    finally:
        server.kill()
        server.wait()


def _first_by_hand(runtime: Runtime, folder: Path) -> float:
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    began = time.monotonic()
    for command in (
        ["venv", "--quiet", "--python", str(runtime.path), str(folder / "venv")],
        [
            "pip",
            "install",
            "--quiet",
            "--only-binary",
            ":all:",
            "--compile-bytecode",
            "--python",
            str(folder / "venv" / "bin" / "python"),
            "-r",
            str(folder / "requirements.txt"),
        ],
    ):
        subprocess.run([uv.find_uv_bin(), *command], env=CLEAN, check=True)
    return time.monotonic() - began + _start_by_hand(folder / "venv" / "bin" / "python", folder / "app", "first")


def _thaw(ph: Installation, guid: str) -> Row:
    """The first answer after a freeze, less what the same app answers in while awake."""
    ph.api("PATCH", f"v1/content/{guid}", json={"idle_timeout": 1})
    beyond = []
    with httpx.Client(headers={"Authorization": f"Key {ph.key}"}, timeout=30) as visitor:
        for _ in range(4):
            key = next(j["key"] for j in ph.api("GET", f"v1/content/{guid}/jobs").json() if j["end_time"] is None)
            until((ph.home / "jobs" / key / "frozen").exists, 60)
            began = time.monotonic()
            visitor.get(f"{ph.url}/content/{guid}/").raise_for_status()
            thawed = time.monotonic() - began
            awake = []
            for _ in range(5):
                began = time.monotonic()
                visitor.get(f"{ph.url}/content/{guid}/").raise_for_status()
                awake.append(time.monotonic() - began)
            beyond.append(thawed - statistics.median(awake))
    worst = max(beyond) * 1000
    return Row(
        "thaw: request to answer, beyond the app's own",
        f"median {statistics.median(beyond) * 1000:.0f}, worst {worst:.0f} ms",
        "50 ms",
        worst <= 50,
    )


def _idle(ph: Installation, ready: float) -> Iterator[Row]:
    time.sleep(3)
    pid = ph.process("control-plane")
    before = _cpu(pid)
    time.sleep(20)
    share = (_cpu(pid) - before) / 20 * 100
    status = Path(f"/proc/{pid}/status").read_text()
    memory = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024
    yield Row("control plane idle: memory", f"{memory:.0f} MB, {share:.2f} % of a core", "200 MB", memory <= 200)
    yield Row("`pilothouse serve` of a new home → ready", f"{ready:.1f} s", "4 s", ready <= 4)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _against(what: str, ours: list[float], by_hand: list[float], budget: float) -> Row:
    ratios = [a / b for a, b in zip(ours, by_hand, strict=True)]
    ratio = statistics.median(ratios)
    shown = f"{statistics.median(ours):.2f} s, by hand {statistics.median(by_hand):.2f} s: ×{ratio:.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    return Row(what, shown, f"×{budget}", ratio <= budget)
