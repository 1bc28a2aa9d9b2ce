"""``make demo``: a server with a sample company, started on this machine; apps arrive while one watches.

Writes only to ``.demo``. Everything goes through what users have: `pilothouse serve`, the public API, and the unmodified
`rsconnect` client. Ctrl-C stops the server and all its jobs; the next run starts from what is there.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
BIN = Path(sys.executable).parent
FIRST_PORT = 3939
READY_S = 90


class Failed(Exception):
    """One sentence for the person who typed `make demo`."""


def main() -> int:
    DEMO.mkdir(mode=0o711, exist_ok=True)
    try:
        with _only_one():
            return _run()
    except Failed as error:
        print(f"\nmake demo: {error}", file=sys.stderr)
        return 1


def _run() -> int:
    company = tomllib.loads((ROOT / "examples" / "company.toml").read_text())
    notes = _Notes()
    port = _free_port()
    server = _start(port, notes)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: stop.set())
    try:
        url = f"http://localhost:{port}"
        _wait_until_ready(server, url, stop)
        if not stop.is_set():
            _people(company, notes, url)
            _box(company, notes, url)
            publisher = threading.Thread(target=_publish, args=(company, notes, url, stop), daemon=True)
            publisher.start()
            while not stop.wait(0.5) and server.poll() is None:
                pass
        if server.poll() is not None:
            raise Failed(f"The server ended by itself. Its log is in {_shown(DEMO / 'home' / 'logs')}.")
        return 0
    finally:
        _stop(server)


class _Notes:
    """What the demo remembers between runs, readable by its owner only: the password, keys, and what was published."""

    def __init__(self) -> None:
        self.path = DEMO / "notes.json"
        self.values: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.lock = threading.Lock()
        defaults = {
            "password": f"harbour-{secrets.token_hex(4)}",
            "bootstrap": base64.b64encode(secrets.token_bytes(32)).decode(),
            "keys": {},
            "apps": {},
        }
        self.values = defaults | self.values
        self.save()

    def save(self) -> None:
        with self.lock:
            draft = self.path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(self.values, indent=1))
            draft.replace(self.path)


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    import fcntl

    with (DEMO / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failed(
                "A demo of this folder is running already. Stop it with Ctrl-C in its terminal first."
            ) from None
        yield


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + 300, 10):
        if all(_is_free(port + n) for n in range(3)):
            if port != FIRST_PORT:
                print(f"Port {FIRST_PORT} (or one of the two after it) is taken; using {port}.")
            return port
    raise Failed(f"No free ports between {FIRST_PORT} and {FIRST_PORT + 300}. Stop something that listens there.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _start(port: int, notes: _Notes) -> subprocess.Popen[bytes]:
    home = DEMO / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PILOTHOUSE_SERVER__BOOTSTRAP_SECRET"] = notes.values["bootstrap"]
    log = (DEMO / "serve.log").open("ab")
    command = [str(BIN / "pilothouse"), "serve", "--home", str(home), "--port", str(port), "--stop-jobs"]
    return subprocess.Popen(
        command, env=env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _wait_until_ready(server: subprocess.Popen[bytes], url: str, stop: threading.Event) -> None:
    print("Starting the server …", flush=True)
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and not stop.is_set():
        if server.poll() is not None:
            tail = (DEMO / "serve.log").read_text(errors="replace").strip().splitlines()[-3:]
            raise Failed("The server did not start: " + " ".join(tail))
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/__ping__", timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    if not stop.is_set():
        raise Failed(f"The server did not answer within {READY_S} seconds. Its log is {_shown(DEMO / 'serve.log')}.")


def _people(company: dict[str, Any], notes: _Notes, url: str) -> None:
    """The first administrator by `rsconnect bootstrap`, everybody else through the API with that key."""
    keys: dict[str, str] = notes.values["keys"]
    if "admin" not in keys:
        done = _rsconnect("bootstrap", "--server", url, "--raw", CONNECT_BOOTSTRAP_SECRETKEY=notes.values["bootstrap"])
        if done.returncode != 0:
            raise Failed(f"The first administrator could not be made: {done.stdout.strip()[-300:]}")
        keys["admin"] = done.stdout.strip().splitlines()[-1].strip()
        notes.save()
    with httpx.Client(base_url=f"{url}/api/v1/", headers={"Authorization": f"Key {keys['admin']}"}, timeout=60) as api:
        have = {u["username"]: u for u in _checked(api.get("users", params={"page_size": 500}))["results"]}
        for person in company["people"]:
            name = person["username"]
            if name not in have:
                new = {k: v for k, v in person.items() if k != "says"} | {"password": notes.values["password"]}
                have[name] = _checked(api.post("users", json=new))
            if name not in keys and person["role"] != "viewer":
                keys[name] = _checked(api.post(f"users/{have[name]['guid']}/keys", json={"name": "demo"}))["key"]
                notes.save()
        groups = {g["name"]: g for g in _checked(api.get("groups", params={"page_size": 500}))["results"]}
        for group in [g for g in company["groups"] if g["name"] not in groups]:
            made = _checked(api.post("groups", json={"name": group["name"]}))
            for member in group["members"]:
                _checked(api.post(f"groups/{made['guid']}/members", json={"user_guid": have[member]["guid"]}))


def _checked(response: httpx.Response) -> Any:
    if response.is_error:
        raise Failed(
            f"{response.request.method} {response.request.url.path} answered {response.status_code}: {response.text[:300]}"
        )
    return response.json() if response.content else None


def _box(company: dict[str, Any], notes: _Notes, url: str) -> None:
    from rich.box import ROUNDED
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.table import Table

    people = Table.grid(padding=(0, 2))
    for person in company["people"]:
        people.add_row(f"[bold]{person['username']}[/]", person["says"])
    text = Group(
        f"[bold]{url}[/]    {company['name']}\n",
        f"Sign in with the password [bold]{notes.values['password']}[/] as one of",
        people,
        "\nThree things to try",
        "  1. Sign in as amara.okoye and watch the apps arrive on the home page.",
        f"  2. Publish one of your own:  {_shown(BIN)}/rsconnect add -s {url} -n demo -k KEY   (Account → New key)",
        "  3. Open an app as clara.voss; then look at Administration → Audit as jonas.brandt.",
        "\nCtrl-C stops everything. The next `make demo` starts from what is there.",
    )
    Console().print(Panel(text, title="Pilothouse", box=ROUNDED, expand=False, padding=(1, 2)))


def _publish(company: dict[str, Any], notes: _Notes, url: str, stop: threading.Event) -> None:
    possible = [app for app in company["apps"] if shutil.which(app.get("needs", "true"))]
    waiting = [app for app in possible if notes.values["apps"].get(app["folder"]) != "published"]
    for number, app in enumerate(waiting, 1):
        if stop.is_set():
            return
        print(f"building {number} of {len(waiting)}: {app['title']} …", flush=True)
        done = _deploy(app, notes, url)
        if stop.is_set():
            return
        if done.returncode != 0:
            print(f"  {app['title']} was not published:\n{done.stdout.strip()[-2000:]}", flush=True)
            continue
        found = re.search(r"/content/([0-9a-f-]{36})/", done.stdout)
        if found:
            _share(app, company, notes, url, found[1])
        notes.values["apps"][app["folder"]] = "published"
        notes.save()
        print(f"  {app['title']} is live.", flush=True)
    if waiting:
        print(
            "All apps are there." if all(notes.values["apps"].get(a["folder"]) for a in possible) else "Done.",
            flush=True,
        )


def _deploy(app: dict[str, Any], notes: _Notes, url: str) -> subprocess.CompletedProcess[str]:
    key = notes.values["keys"][app["publisher"]]
    kind, *rest = app["args"]
    folder = DEMO / "apps" / app["folder"]  # a copy: the client writes its records beside the app
    shutil.copytree(ROOT / "examples" / app["folder"], folder, dirs_exist_ok=True)
    return _rsconnect(
        "deploy", kind, "--server", url, "--api-key", key, "--title", app["title"], "--new", *rest, str(folder)
    )


def _share(app: dict[str, Any], company: dict[str, Any], notes: _Notes, url: str, guid: str) -> None:
    key = notes.values["keys"][app["publisher"]]
    with httpx.Client(base_url=f"{url}/__api__/v1/", headers={"Authorization": f"Key {key}"}, timeout=60) as api:
        _checked(api.patch(f"content/{guid}", json={"access_type": app["open_to"]}))
        groups = {g["name"]: g["guid"] for g in _checked(api.get("groups", params={"page_size": 500}))["results"]}
        for name in app.get("groups", []):
            grant = {"principal_guid": groups[name], "principal_type": "group", "role": "viewer"}
            _checked(api.post(f"content/{guid}/permissions", json=grant))


def _rsconnect(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The unmodified client, with a configuration folder of its own, so that the user's is not touched."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("CONNECT_")}
    env |= {
        "HOME": str(DEMO / "client"),
        "XDG_CONFIG_HOME": str(DEMO / "client" / ".config"),
        "NO_COLOR": "1",
    } | variables
    command = [str(BIN / "rsconnect"), *arguments]
    return subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        print("\nStopping …", flush=True)
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
