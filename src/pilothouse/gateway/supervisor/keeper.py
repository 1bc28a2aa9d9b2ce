"""Keeps one program running: adopts it or starts it, notices its end, starts it again, replaces it when its plan changed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pilothouse.gateway.supervisor import logfiles
from pilothouse.gateway.supervisor.listening import Probe
from pilothouse.gateway.supervisor.plan import Program
from pilothouse.gateway.supervisor.process import Process, adopt, spawn

#: Seconds before the next start after 1, 2, 3, … ends within `WINDOW_S`; the last one repeats.
PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
WINDOW_S = 120.0
#: A program that was ready for so long did not fail to start: its end is the first of a new row.
SOUND_S = 2.0
#: So many ends within the window are called a crash loop.
LOOP = 4

Say = Callable[[str], None]


class Keeper:
    """One program and the process that runs it now. All methods return at once; ``step`` is called by the loop."""

    def __init__(self, name: str, program: Program, *, log: Path, say: Say, fd: Callable[[], int] = lambda: -1) -> None:
        self.name, self.program, self.log, self.say, self._fd = name, program, log, say, fd
        self.process: Process | None = None
        self.is_ready = False
        self._probe: Probe | None = None
        self._start_at: float | None = 0.0
        self._kill_at: float | None = None
        self._ends: list[float] = []
        self._ready_at: float | None = None
        self._is_replacing = False

    def adopt(self, record: dict[str, Any] | None) -> None:
        """Go on with the process of an earlier supervisor, if it lives."""
        self.process = adopt(record) if record else None
        if self.process is not None:
            self._watch(self.process)
            self.say(f"{self.name} runs already (process {self.process.pid}).")

    def processes(self) -> list[Process]:
        """Every process this keeper answers for."""
        return [self.process] if self.process else []

    def replace(self, program: Program, now: float) -> None:
        """Run ``program`` from now on. A process of another digest is asked to end, and the new one starts after it."""
        self.program = program
        if self.process is not None and self.process.digest != program.digest and not self._is_replacing:
            self.say(f"{self.name} is replaced, because its configuration or version changed.")
            self._is_replacing = True
            self.stop(now)

    def stop(self, now: float) -> None:
        """Ask the process to end; it is killed when its grace is over."""
        if self.process is not None and self._kill_at is None:
            self.process.signal(signal.SIGTERM)
            self._kill_at = now + self.program.grace_s

    def step(self, now: float) -> float:
        """Do what is due. Seconds until it wants to be called again."""
        if self.process is None:
            return self._start_if_due(now)
        if not self.process.is_alive():
            self.on_end(self.process, now)
            return 0.0
        if self._kill_at is not None and now >= self._kill_at:
            self.process.signal(signal.SIGKILL)
            return 1.0
        if self._probe is not None and self._probe.is_ready():
            self.is_ready, self._probe, self._ready_at = True, None, now
        return 0.05 if self._probe is not None else self._until(self._kill_at, now)

    def on_end(self, process: Process, now: float) -> None:
        """Note that the current process has ended, and plan the next start."""
        how, planned = process.forget(), self._kill_at is not None
        self.process, self.is_ready, self._kill_at = None, False, None
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        if planned:
            self._start_at = now if self._is_replacing else None
            self._is_replacing = False
            return
        was_sound = self._ready_at is not None and now - self._ready_at >= SOUND_S
        self._ends = [now] if was_sound else [*(end for end in self._ends if end > now - WINDOW_S), now]
        pause = PAUSES[min(len(self._ends) - 1, len(PAUSES) - 1)]
        self._start_at = now + pause
        self._say_end(how, pause)

    def _say_end(self, how: str, pause: float) -> None:
        when = "now" if pause == 0 else f"in {pause:g} s"
        self.say(f"{self.name} ended ({how}). It is started again {when}.")
        if len(self._ends) >= LOOP:
            last = "\n".join(f"    {line}" for line in logfiles.tail(self.log))
            self.say(
                f"CRASH LOOP: {self.name} ended {len(self._ends)} times in a row. See {self.log}, which ends:\n{last}"
            )

    def _start_if_due(self, now: float) -> float:
        if self._start_at is None:
            return 3600.0
        if now < self._start_at:
            return self._start_at - now
        self._start_at = None
        try:
            self.process = spawn(self.program, log=self.log, fd=self._fd())
        except OSError as error:
            self._ends.append(now)
            self._start_at = now + PAUSES[min(len(self._ends), len(PAUSES) - 1)]
            self.say(f"{self.name} can't be started: {error}.")
            return self._start_at - now
        self._watch(self.process)
        return 0.05

    def _watch(self, process: Process) -> None:
        self.is_ready, self._ready_at = False, None
        self._probe = Probe(process.ready_socket, self.program.ready_path)

    @staticmethod
    def _until(moment: float | None, now: float) -> float:
        return 3600.0 if moment is None else max(0.0, moment - now)
