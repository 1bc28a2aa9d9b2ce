"""A keeper for Envoy: the new one starts beside the old one on the same ports, and the old one finishes its connections."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.gateway.supervisor import listening
from pilothouse.gateway.supervisor.keeper import Keeper, Say
from pilothouse.gateway.supervisor.plan import Program
from pilothouse.gateway.supervisor.process import Process, adopt, raise_file_limit, spawn

READY_S = 20.0
LOOK_S = 1.0
ACTIVE = "downstream_cx_active"


@dataclass
class Leaver:
    """A replaced process. It gets SIGTERM when its connections are gone, or at ``leave_at``; SIGKILL soon after."""

    process: Process
    leave_at: float
    asked: bool = False


class OverlappingKeeper(Keeper):
    """Sockets are bound with SO_REUSEPORT by both, so at no moment nobody listens; open WebSockets stay where they are.

    What the kernel has handed to the old one but it has not accepted yet is reset when it stops listening. Envoy's own
    hot restart would save that, but it ends Envoy when its parent dies.
    """

    def __init__(self, name: str, program: Program, *, log: Path, say: Say, drain_s: Callable[[], float]) -> None:
        super().__init__(name, program, log=log, say=say)
        self._drain_s = drain_s
        self._next: Process | None = None
        self._next_probe: listening.Probe | None = None
        self._give_up_at = 0.0
        self._leavers: list[Leaver] = []

    def adopt_leavers(self, records: list[dict[str, Any]], now: float) -> None:
        """Go on waiting for processes that an earlier supervisor replaced."""
        found = [adopt(record) for record in records]
        self._leavers += [Leaver(process, now + self._drain_s()) for process in found if process]

    def leavers(self) -> list[Process]:
        return [leaver.process for leaver in self._leavers]

    def processes(self) -> list[Process]:
        return [*super().processes(), *([self._next] if self._next else []), *self.leavers()]

    def replace(self, program: Program, now: float) -> None:
        self.program = program
        if self.process is None or self.process.digest == program.digest or self._next is not None:
            return
        self.say(f"{self.name} is replaced, because its configuration changed. Open connections may finish.")
        try:
            self._next = spawn(program, log=self.log)
        except OSError as error:
            self.say(f"The new {self.name} can't be started: {error}. The old one stays.")
            return
        raise_file_limit(self._next)
        self._next_probe, self._give_up_at = listening.Probe(program.ready_socket, program.ready_path), now + READY_S

    def stop(self, now: float) -> None:
        super().stop(now)
        if self._next is not None:
            self._give_up_at = now
        for leaver in self._leavers:
            leaver.leave_at = now

    def step(self, now: float) -> float:
        waits = [super().step(now)]
        if self._next is not None:
            waits.append(self._step_next(self._next, now))
        waits += [self._step_leaver(leaver, now) for leaver in list(self._leavers)]
        return min(waits)

    def on_end(self, process: Process, now: float) -> None:
        super().on_end(process, now)
        if self._next is not None:  # it was to take over anyway
            self.process, self._probe, self._start_at = self._next, self._next_probe, None
            self._next = self._next_probe = None

    def _watch(self, process: Process) -> None:
        super()._watch(process)
        raise_file_limit(process)

    def _step_next(self, process: Process, now: float) -> float:
        if self._next_probe is not None and self._next_probe.is_ready():
            old, self.process, self._next, self._next_probe = self.process, process, None, None
            self.is_ready = True
            if old is not None:
                listening.ask(old.ready_socket, "/drain_listeners", method="POST")
                self._leavers.append(Leaver(old, now + self._drain_s()))
            self.replace(self.program, now)  # the plan may have changed once more meanwhile
            return 0.0
        if now < self._give_up_at and process.is_alive():
            return 0.05
        process.signal(signal.SIGKILL)
        self._next = self._next_probe = None
        self.say(f"The new {self.name} did not become ready ({process.forget()}). The old one stays; see {self.log}.")
        return 0.0

    def _step_leaver(self, leaver: Leaver, now: float) -> float:
        process = leaver.process
        if not process.is_alive():
            process.forget()
            self._leavers.remove(leaver)
        elif leaver.asked and now >= leaver.leave_at:
            process.signal(signal.SIGKILL)
        elif not leaver.asked and (now >= leaver.leave_at or connections(process.ready_socket) == 0):
            process.signal(signal.SIGTERM)
            leaver.asked, leaver.leave_at = True, now + self.program.grace_s
        return LOOK_S


def connections(admin: str) -> int:
    """Clients that are still connected to an Envoy, its admin socket's own not counted; 0 when it does not answer."""
    answer = listening.ask(admin, f"/stats?filter=^http\\..*{ACTIVE}$")
    lines = [line for line in answer.splitlines() if ACTIVE in line and not line.startswith("http.admin.")]
    return sum(int(line.rpartition(":")[2]) for line in lines if line.rpartition(":")[2].strip().isdigit())
