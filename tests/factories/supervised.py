"""A home with a real supervisor, a real Envoy and a stand-in for the control plane."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.factories.gateway import GRANTS, Script, app_at, ask, describe, envoy_or_skip, free_ports

from pilothouse.gateway.envoy import EnvoyPlan, Listener, Origin, Site, dashboard
from pilothouse.gateway.envoy.binary import Binary
from pilothouse.gateway.serving import ControlPlane, Served, command, door_secret, prepare

GATEWAY_UID = 199_999
DOUBLES = Path(__file__).parents[1] / "doubles"


@dataclass
class Home:
    """``served`` is what `start` prepares; change it and call `prepare` for a new plan."""

    path: Path
    served: Served
    supervisor: subprocess.Popen[bytes] | None = None
    every: list[int] = field(default_factory=list)

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def port(self) -> int:
        return self.served.envoy.listeners[0].port

    def start(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        file = prepare(self.served)
        with (self.path / "stderr").open("ab") as log:
            self.supervisor = subprocess.Popen(command(file), stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.until(lambda: self.known("supervisor") == self.supervisor.pid and (self.run / "ready").exists())
            self.every += [self.pid("control_plane"), self.pid("envoy")]
        return self.supervisor

    def known(self, name: str) -> Any:
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.run / "processes.json").read_bytes())[name]
        return None

    def pid(self, name: str) -> int:
        return int((self.known(name) or {"pid": 0})["pid"])

    def kill_supervisor(self) -> None:
        self.supervisor.kill()
        self.supervisor.wait()

    def stop(self, timeout: float = 20) -> int:
        self.supervisor.terminate()
        return self.supervisor.wait(timeout)

    def said(self) -> str:
        return (self.path / "stderr").read_text()

    def refused(self) -> list[str]:
        """Lines of the access log that are no success, to explain a failed test."""
        time.sleep(1.2)
        lines = self.served.envoy.access_log.read_text().splitlines()
        return [line for line in lines if json.loads(line)["status"] not in (200, 101)]

    def until(self, true: Callable[[], Any], timeout: float = 20) -> Any:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if found := true():
                    return found
            time.sleep(0.02)
        raise AssertionError(f"did not happen in {timeout} s; the supervisor said:\n{self.said()}")

    def end_everything(self) -> None:
        """Whatever a failed test left: only processes that this home recorded."""
        if self.supervisor is not None and self.supervisor.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        pids = {self.pid("control_plane"), self.pid("envoy"), *(r["pid"] for r in self.known("leaving") or [])}
        for pid in pids - {0}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def home(**changes: Any) -> Iterator[Home]:
    """A home with an app behind ``/content/``; ``changes`` to `Served`."""
    binary = Binary(envoy_or_skip(), "tested")
    path = Path(tempfile.mkdtemp(prefix="ph-su-", dir="/tmp"))
    path.chmod(0o711)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, path, ignore_errors=True)
        address = stack.enter_context(app_at(Script(describe)))
        one, two = free_ports(2)
        envoy = EnvoyPlan(
            run=path / "run",
            bind="127.0.0.1",
            listeners=(
                Listener(one, (dashboard(("localhost",)),)),
                Listener(two, (Site(Origin.CONTENT, ("localhost",)),)),
            ),
            door_secret=door_secret(path / "keys"),
            access_log=path / "logs" / "access.log",
            grants=GRANTS,
        )
        argv = [sys.executable, "-m", "uvicorn", "--app-dir", str(DOUBLES), "control_plane:app", "--fd", "{fd}"]
        control_plane = ControlPlane([*argv, "--log-level", "warning"], env={"APP": address}, grace_s=10)
        served = Served(
            envoy, binary, control_plane, logs=path / "logs", url=f"http://localhost:{one}", uid=uid_for(binary.path)
        )
        (path / "logs").mkdir(mode=0o711)
        found = Home(path, replace(served, **changes))
        stack.callback(found.end_everything)
        yield found


def uid_for(binary: Path) -> int | None:
    """As a root installation does it: Envoy under a user of its own, where that user can reach the program."""
    is_open = all(folder.stat().st_mode & 0o001 for folder in (binary, *binary.resolve().parents))
    return GATEWAY_UID if os.geteuid() == 0 and is_open else None


class Traffic:
    """Requests one after the other from some threads, until left; ``failed`` holds what was not a 200."""

    def __init__(self, port: int, path: str, threads: int = 4) -> None:
        self.done, self.longest = 0, 0.0
        self.failed: list[str] = []
        self._port, self._path, self._on = port, path, True
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._on = False
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while self._on:
            began = time.monotonic()
            try:
                answer = ask(self._port, self._path, timeout=20)
                if answer.status != 200:
                    self.failed.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
            self.done += 1
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.01)
