"""Cold start, thaw and warm request of every kind with an example, beside the same process started by hand.

"By hand" is the very command line that the server ran, with the same library and the same files, outside of any sandbox and
asked directly. Ours goes through the gateway and the door, with an API key. Rounds are interleaved.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.factories.installation import EXAMPLES, Installation, free_port, new_installation, remove, until

from bench.rows import Row
from pilothouse.content import content_kinds
from pilothouse.content.contract import Launch, Project
from pilothouse.content.service.manifests import read_manifest
from pilothouse.content.tasks.start import PRELOAD, START, STARTERS

ROUNDS, THAWS, ASKED = 3, 3, 50
THAW_MS = 50
#: How long a worker is left alone before it is frozen here: its grace after the last answer, and a look every second.
ALONE_S = 7
#: The example of each kind, and the client's words to deploy it.
OF_KIND = {
    "plant-monitor": ("fastapi", "--entrypoint", "app:app"),
    "batch-quality-api": ("api", "--entrypoint", "app:app"),
    "mixing-explorer": ("shiny", "--entrypoint", "app:app"),
    "clock-capability": ("streamlit",),
    "published-work": ("dash",),
    "pulse-spectrum": ("bokeh",),
    "drift-watch": ("panel",),
    "soft-sensor": ("gradio",),
    "reaction-time": ("nodejs",),
}
SETTINGS = "[content]\ninit_timeout = 120\nidle_timeout = 600\n"


def rows() -> Iterator[Row]:
    ph = new_installation(SETTINGS)
    try:
        ph.start()
        ph.make_administrator()
        for folder, words in OF_KIND.items():
            yield from _of(ph, folder, words)
    finally:
        remove(ph)


def _of(ph: Installation, folder: str, words: tuple[str, ...]) -> Iterator[Row]:
    done = ph.deploy(words[0], _copy(ph, folder), *words[1:], check=False)
    if not done.guid or done.code != 0:
        yield Row(folder, f"not measured: it could not be deployed ({done.output.strip().splitlines()[-1][:60]})")
        return
    content = ph.api("GET", f"v1/content/{done.guid}").json()
    process = _ByHand(ph, done.guid, content)
    url = f"{ph.url}/content/{done.guid}/"
    cold: dict[str, list[float]] = {"ours": [], "by hand": []}
    warm: dict[str, list[float]] = {"ours": [], "by hand": []}
    thawed: list[float] = []
    held: list[float] = []
    with httpx.Client(headers={"Authorization": f"Key {ph.key}"}, timeout=150, follow_redirects=True) as visitor:
        for _ in range(ROUNDS):
            with process.running() as (by_hand, seconds):
                cold["by hand"].append(seconds)
                warm["by hand"].append(_warm(httpx.Client(timeout=60, follow_redirects=True), by_hand))
                held.append(process.held(by_hand))
            _stop(ph, done.guid)
            cold["ours"].append(_timed(lambda: visitor.get(url).raise_for_status()))
            warm["ours"].append(_warm(visitor, url))
        ph.api("PATCH", f"v1/content/{done.guid}", json={"idle_timeout": 1})
        for _ in range(THAWS):
            until((ph.home / "jobs" / _job(ph, done.guid) / "frozen").exists, 120)
            thawed.append(_timed(lambda: visitor.get(url).raise_for_status()))
    ph.api("PATCH", f"v1/content/{done.guid}", json={"idle_timeout": 600})
    _stop(ph, done.guid)
    mode, usual = content["app_mode"], statistics.median(warm["ours"])
    ours, hand = statistics.median(cold["ours"]), statistics.median(cold["by hand"])
    yield Row(f"{mode}: cold start to first answer", f"{ours:.2f} s, by hand {hand:.2f} s: ×{ours / hand:.2f}")
    bare = 1000 * statistics.median(warm["by hand"])
    thaw, hold = (
        [1000 * seconds - each for seconds in found] for found, each in ((thawed, 1000 * usual), (held, bare))
    )
    shown = f"median {statistics.median(thaw):.0f}, worst {max(thaw):.0f} ms; by hand {statistics.median(hold):.0f}, {max(hold):.0f} ms"
    met = statistics.median(thaw) - statistics.median(hold) <= THAW_MS
    yield Row(f"{mode}: thaw, beyond its usual answer", shown, f"{THAW_MS} ms", met)
    yield Row(f"{mode}: warm request", f"{1000 * usual:.1f} ms, by hand {bare:.1f} ms")


class _ByHand:
    """The process behind a content, as anybody could start it in a shell."""

    def __init__(self, ph: Installation, guid: str, content: dict[str, Any]) -> None:
        document = json.loads((ph.home / "jobs" / _job(ph, guid) / "spec.json").read_bytes())
        found = ph.home / "apps" / "dev" / guid / content["bundle_id"]
        root = next(file.parent for file in sorted(found.rglob("manifest.json"), key=lambda file: len(file.parts)))
        self._folder = ph.root / f"hand-{guid[:8]}"
        shutil.copytree(root, self._folder)
        words = document["bwrap"]
        binds = {words[n + 2]: words[n + 1] for n, word in enumerate(words) if word == "--ro-bind"}
        for seen, source in binds.items():
            if seen == "/node_modules":
                (self._folder / "node_modules").symlink_to(source)
        project = Project(self._folder, read_manifest(self._folder))
        kind = content_kinds.load(content["app_mode"])()
        made = kind.command(Launch(project, str(self._folder), document["argv"][0], START, PRELOAD, "by hand"))
        ours = {seen: str(file) for file, seen in STARTERS.items()}
        self._argv, self._env = [ours.get(word, word) for word in made.argv], made.env

    @contextmanager
    def running(self) -> Iterator[tuple[str, float]]:
        """Its address, and the seconds until it answered for the first time."""
        port = free_port()
        filled: Callable[[str], str] = lambda text: text.replace("{host}", "127.0.0.1").replace("{port}", str(port))  # noqa: E731
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp", "PYTHONUNBUFFERED": "1"}
        env |= {name: filled(value) for name, value in self._env.items()}
        url, began = f"http://127.0.0.1:{port}/", time.monotonic()
        out = subprocess.DEVNULL
        words = list(map(filled, self._argv))
        with subprocess.Popen(
            words, cwd=self._folder, env=env, stdout=out, stderr=out, start_new_session=True
        ) as process:
            self._group = process.pid
            try:
                while not _answers(url):
                    assert process.poll() is None and time.monotonic() - began < 120, (
                        f"it does not answer: {self._argv}"
                    )
                    time.sleep(0.005)
                yield url, time.monotonic() - began
            finally:
                os.killpg(self._group, signal.SIGKILL)

    def held(self, url: str) -> float:
        """Seconds until it answers after it was left alone, stopped for a moment and continued."""
        time.sleep(ALONE_S)
        os.killpg(self._group, signal.SIGSTOP)
        time.sleep(0.2)
        os.killpg(self._group, signal.SIGCONT)
        with httpx.Client(timeout=150, follow_redirects=True) as visitor:
            return _timed(lambda: visitor.get(url).raise_for_status())


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60, follow_redirects=True).is_success
    except httpx.TransportError:
        return False


def _warm(client: httpx.Client, url: str) -> float:
    return statistics.median(_timed(lambda: client.get(url).raise_for_status()) for _ in range(ASKED))


def _timed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def _job(ph: Installation, guid: str) -> str:
    found = ph.api("GET", f"v1/content/{guid}/jobs").json()
    return next(str(job["key"]) for job in found if job["end_time"] is None and job["pid"])


def _stop(ph: Installation, guid: str) -> None:
    for job in ph.api("GET", f"v1/content/{guid}/jobs").json():
        if job["end_time"] is None:
            ph.api("DELETE", f"v1/content/{guid}/jobs/{job['key']}")
    until(lambda: all(job["end_time"] for job in ph.api("GET", f"v1/content/{guid}/jobs").json()), 60)


def _copy(ph: Installation, folder: str) -> Path:
    """The client writes into the folder it deploys."""
    return Path(shutil.copytree(EXAMPLES / folder, ph.root / "examples" / folder, dirs_exist_ok=True))
