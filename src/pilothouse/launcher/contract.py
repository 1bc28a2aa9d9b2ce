"""What a launcher owes: run a `JobSpec` somewhere, report its state, survive our own death.

A launcher knows no domain: a job is a command with mounts, limits and perhaps an address. The word *job* means this and
nothing else (GLOSSARY). Every backend passes ``pilothouse.testing.launcher.LauncherSuite``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pilothouse.base.errors import Conflict, Invalid, NotFound, Unavailable


class LauncherDown(Unavailable):
    """The launcher does not answer. Running jobs go on; try again in a moment."""

    code = "launcher/launcher-down"


class JobUnknown(NotFound):
    """The launcher has no job of this id. It may have been cleaned up."""

    code = "launcher/job-unknown"


class JobRefused(Invalid):
    """The launcher refuses this job. The message says which part of it and why."""

    code = "launcher/job-refused"


class SignalRefused(Conflict):
    """The job can't take this signal now. Only a running job freezes, only a frozen one thaws."""

    code = "launcher/signal-refused"


class JobState(StrEnum):
    """Where a job is. ``QUEUED`` and ``STARTING`` are transitional: nobody cleans those up."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    FROZEN = "frozen"
    STOPPING = "stopping"
    ENDED = "ended"
    LOST = "lost"


#: Which state may follow which. ``LOST`` = the job vanished without a report (its node or shim was killed).
MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.STARTING, JobState.RUNNING, JobState.STOPPING, JobState.ENDED, JobState.LOST}),
    JobState.STARTING: frozenset({JobState.RUNNING, JobState.STOPPING, JobState.ENDED, JobState.LOST}),
    JobState.RUNNING: frozenset({JobState.FROZEN, JobState.STOPPING, JobState.ENDED, JobState.LOST}),
    JobState.FROZEN: frozenset({JobState.RUNNING, JobState.STOPPING, JobState.ENDED, JobState.LOST}),
    JobState.STOPPING: frozenset({JobState.ENDED, JobState.LOST}),
    JobState.ENDED: frozenset(),
    JobState.LOST: frozenset(),
}

FINAL = frozenset({JobState.ENDED, JobState.LOST})


class Signal(StrEnum):
    """What a launcher can do to a running job besides ending it."""

    FREEZE = "freeze"
    THAW = "thaw"


@dataclass(frozen=True)
class Mount:
    """A folder or file of the host that the job sees at ``target``; read-only unless ``writable``. Both are absolute paths."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Resources:
    """Request and limit of what a job may use. ``None`` = no limit of its own (the backend's default applies).

    cpu in cores, memory in bytes, gpus and processes as counts.
    """

    cpu_request: float | None = None
    cpu_limit: float | None = None
    memory_request: int | None = None
    memory_limit: int | None = None
    processes_limit: int | None = None
    gpus: int = 0


@dataclass(frozen=True)
class JobSpec:
    """All that a launcher needs to run one job; made by pure functions, never changed.

    ``id`` is ours: lower-case letters and digits; submitting it twice starts it once. ``env`` is the whole environment of
    the command and may hold secrets: it is never printed, logged or written to disk. When ``listens``, every ``{host}``
    and ``{port}`` in ``argv`` and ``env`` values is replaced by the address the launcher chose; `JobStatus.address` tells
    it. ``grace`` is the time between asking a job to end and killing it. ``image`` is ignored by local backends.
    """

    id: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str = "/"
    mounts: tuple[Mount, ...] = ()
    uid: int | None = None
    gid: int | None = None
    load_group: str = "medium"
    resources: Resources = Resources()
    image: str | None = None
    listens: bool = False
    network: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    grace: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class JobStatus:
    """What is known of a job. ``address`` is ``ip:port`` while the job runs and listens.

    ``exit_code`` is 128 + n for a job killed by signal n. ``out_of_memory`` is set when the job ended because it exceeded
    its memory limit; ``memory_warning`` when one of its processes was killed for memory but the job went on or ended by
    itself; ``cancelled`` when somebody asked it to end. ``reason`` is one sentence for people.
    """

    id: str
    state: JobState
    address: str | None = None
    node: str = ""
    pid: int | None = None
    exit_code: int | None = None
    out_of_memory: bool = False
    memory_warning: bool = False
    cancelled: bool = False
    memory_peak: int | None = None
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Usage:
    """What a running job uses now. cpu_seconds is the total since its start; memory in bytes; processes as a count."""

    cpu_seconds: float
    memory: int
    processes: int


@dataclass(frozen=True)
class LogLine:
    """One line a job wrote: ``stream`` is ``stdout`` or ``stderr``, ``at`` when the launcher read it."""

    at: datetime
    stream: str
    text: str


@dataclass(frozen=True)
class Capabilities:
    """What this backend can do here, found out by trying; ``facts`` says how, in sentences for the administration page.

    ``limits`` is ``systemd | v2 | v1 | rlimits | none``, ``freezer`` ``v2 | v1 | sigstop | none``, ``isolation``
    ``bubblewrap | none``. ``weak`` lists what is not protected on this installation, each with the remedy.
    """

    limits: str = "none"
    freezer: str = "none"
    isolation: str = "none"
    gpus: bool = False
    facts: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()

    @property
    def freezes(self) -> bool:
        return self.freezer != "none"


class Launcher(Protocol):
    """The seven methods of every backend. All are synchronous and safe to call from several threads."""

    def submit(self, spec: JobSpec) -> JobStatus:
        """Start the job and return at once. A known id changes nothing and returns its status. Raises `JobRefused`, `LauncherDown`."""
        ...

    def status(self, job_id: str) -> JobStatus:
        """What is known now, cheaply. Raises `JobUnknown`."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask the job to end, frozen or not; kill it when its grace is over; return at once. An ended job is a no-op. Raises `JobUnknown`."""
        ...

    def signal(self, job_id: str, signal: Signal) -> None:
        """Freeze or thaw; on return it has happened. Freezing a frozen job is a no-op. Raises `SignalRefused`, `JobUnknown`."""
        ...

    def logs(self, job_id: str, *, after: int = 0, limit: int = 10_000) -> Iterator[tuple[int, LogLine]]:
        """Numbered lines (1, 2, …) written after line ``after``, oldest first; numbers survive rotation. Raises `JobUnknown`."""
        ...

    def adopt(self) -> dict[str, JobStatus]:
        """Find every job that this backend still knows, also those started by an earlier process. Ended ones stay until `forget`-able by age."""
        ...

    def capabilities(self) -> Capabilities:
        """What works here; probed once and remembered."""
        ...


@runtime_checkable
class Measures(Protocol):
    """An ability beyond the contract: a launcher that can tell what its jobs use."""

    def usage(self, job_id: str) -> Usage | None:
        """What a running job uses now; ``None`` where that can't be told. Raises `JobUnknown`."""
        ...


def usage_of(launcher: object, job_id: str) -> Usage | None:
    """What a job uses now; ``None`` where ``launcher`` can't tell, or does not know the job any more."""
    try:
        return launcher.usage(job_id) if isinstance(launcher, Measures) else None
    except NotFound:
        return None


@runtime_checkable
class SeesConnections(Protocol):
    """An ability beyond the contract: a launcher that can look at the network of its jobs."""

    def connections(self, job_id: str) -> int:
        """TCP connections that are open to the job's address at this moment; 0 for one without. Raises `JobUnknown`."""
        ...


@dataclass(frozen=True)
class MachineMemory:
    """Memory of the machine that runs the jobs, in bytes; ``available`` is what can be taken without swapping."""

    total: int
    available: int
    swap_free: int


@runtime_checkable
class LooksAfterMemory(Protocol):
    """An ability beyond the contract: a launcher whose jobs share one machine's memory."""

    def memory(self) -> MachineMemory:
        """As it is now."""
        ...

    def reclaim(self, job_id: str) -> int:
        """Move a frozen job's memory to swap; returns how many bytes became free. It works on as soon as it is thawed. Raises `JobUnknown`."""
        ...
