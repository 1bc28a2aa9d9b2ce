"""The local launcher: one folder and one shim for each job; every fact is read from there, so that nothing is lost with us."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilothouse.base.ids import new_key
from pilothouse.launcher.backends.local import addresses, connections, freezer, joblog, sandbox
from pilothouse.launcher.backends.local.options import LocalOptions
from pilothouse.launcher.backends.local.packetfilter import CLOSED_S, PacketFilter, Place
from pilothouse.launcher.backends.local.probe import is_open, machine_memory, probe, top_links
from pilothouse.launcher.contract import (
    FINAL,
    Capabilities,
    JobRefused,
    JobSpec,
    JobState,
    JobStatus,
    JobUnknown,
    LauncherDown,
    LogLine,
    MachineMemory,
    Signal,
    SignalRefused,
    Usage,
)

if TYPE_CHECKING:  # it is large, and the runner must stay small
    from pilothouse.settings.options import Launcher as LauncherOptions

SHIM = Path(__file__).with_name("shim.py")
START_S = 10.0
NPROC_MARGIN = 64
ADDRESS_SPACE_MARGIN = 1024 * 1024 * 1024


class LocalLauncher:
    """Runs jobs on this machine. Several instances and processes may share one ``options.jobs`` folder."""

    def __init__(self, options: LocalOptions) -> None:
        """Probes the machine. Raises `JobRefused` if a sandbox is required and does not work."""
        self._options, self._jobs = options, options.jobs
        self._jobs.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._found = probe(options)
        if options.sandbox == "required" and self._found.bwrap is None:
            raise JobRefused(
                f"A sandbox is required, but {self._found.why_no_bwrap} Install bubblewrap, or set launcher.sandbox."
            )
        if options.packet_filter == "required" and self._found.nft is None:
            raise JobRefused(
                f"A packet filter is required, but {self._found.why_no_nft} Install nftables, or set launcher.packet_filter."
            )
        self._filter = (
            PacketFilter(self._found.nft, self._jobs, self._places, options.clients) if self._found.nft else None
        )
        self._over: set[str] = set()
        self._shims: list[subprocess.Popen[bytes]] = []
        self._links = top_links()

    @classmethod
    def from_settings(cls, home: Path, options: LauncherOptions) -> LocalLauncher:
        """The launcher of the installation at ``home``."""
        return cls(
            LocalOptions(
                jobs=home / "jobs",
                sandbox=options.sandbox,
                packet_filter=options.packet_filter,
                clients=(options.gateway_uid,),
                readable_paths=tuple(options.readable_paths),
                log_size=options.log_size,
                log_files=options.log_files,
            )
        )

    def submit(self, spec: JobSpec) -> JobStatus:
        sandbox.check(spec)
        self._reap()
        job = self._jobs / spec.id
        try:
            if not job.exists():
                self._write(job, spec)
            if not (job / "state.json").exists() and not _is_locked(job):
                os.utime(job)  # `status` counts the patience for a start from here; the packet filter asks it
                self._admit(job)
                self._start(job, spec)
        except OSError as error:
            raise LauncherDown(
                f"The job could not be started: {error.strerror or error}. Nothing was left behind; try again."
            ) from error
        return self.status(spec.id)

    def status(self, job_id: str) -> JobStatus:
        job = self._folder(job_id)
        spec, state = _read_json(job / "spec.json"), _read_json(job / "state.json")
        known = JobStatus(job_id, JobState.QUEUED, spec.get("address"), node=os.uname().nodename)
        if not state:
            waiting = _is_locked(job) or time.time() - job.stat().st_mtime < START_S
            reason = "" if waiting else "The server ended before it could start the job."
            return replace(known, state=JobState.STARTING if waiting else JobState.LOST, reason=reason)
        return _known(job, known, state)

    def cancel(self, job_id: str) -> None:
        job = self._folder(job_id)
        (job / "cancelled").touch()
        state = _read_json(job / "state.json")
        if not state or not _is_locked(job):
            return
        if (job / "frozen").exists():
            self._set_frozen(job, state, frozen=False)
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(state["shim"]), signal.SIGTERM)

    def signal(self, job_id: str, signal: Signal) -> None:
        job, status = self._folder(job_id), self.status(job_id)
        if status.state not in (JobState.RUNNING, JobState.FROZEN):
            raise SignalRefused(f"The job is {status.state}; only running jobs freeze and only frozen ones thaw.")
        self._set_frozen(job, _read_json(job / "state.json"), frozen=signal is Signal.FREEZE)

    def logs(self, job_id: str, *, after: int = 0, limit: int = 10_000) -> Iterator[tuple[int, LogLine]]:
        return joblog.read(self._folder(job_id), after=after, limit=limit)

    def adopt(self) -> dict[str, JobStatus]:
        self._reap()
        found = {}
        for job in self._jobs.iterdir():
            if (job / "spec.json").exists() and not job.name.startswith("."):
                with contextlib.suppress(JobUnknown):
                    found[job.name] = self.status(job.name)
        return found

    def capabilities(self) -> Capabilities:
        return self._found.capabilities()

    def usage(self, job_id: str) -> Usage | None:
        """What a running job uses now; ``None`` where control groups can't tell. An ability beyond the contract."""
        return self._found.groups.usage(self._folder(job_id).name)

    def connections(self, job_id: str) -> int:
        address = self.status(job_id).address
        return connections.established(address) if address else 0

    def memory(self) -> MachineMemory:
        return machine_memory()

    def reclaim(self, job_id: str) -> int:
        if self.status(job_id).state is not JobState.FROZEN:
            return 0
        before = self.usage(job_id)
        self._found.groups.reclaim(job_id)
        after = self.usage(job_id)
        return before.memory - after.memory if before and after else 0

    def forget(self, job_id: str) -> None:
        """Remove the folder and log of an ended job. A running one is left alone."""
        if self.status(job_id).state in (JobState.ENDED, JobState.LOST):
            self._found.groups.remove(job_id)
            shutil.rmtree(self._jobs / job_id, ignore_errors=True)

    def guard(self) -> None:
        """Keep the packet filter fitting; to be called every few seconds. An ability beyond the contract. Raises ``OSError``."""
        if self._filter is not None:
            self._filter.fit()

    def unguard(self) -> None:
        """Take the packet filter away if no job runs. An ability beyond the contract. Raises ``OSError``."""
        if self._filter is not None:
            self._filter.remove()

    def _admit(self, job: Path) -> None:
        spec = _read_json(job / "spec.json")
        if self._filter is not None and spec.get("address"):
            self._filter.admit(Place(spec["address"], spec["uid"] or 0))

    def _places(self) -> list[Place]:
        """Where jobs listen, and where jobs listened that ended a moment ago. Others are not looked at again."""
        names = {name for name in os.listdir(self._jobs) if sandbox.JOB_ID.fullmatch(name)}
        self._over &= names
        found = []
        for name in names - self._over:
            with contextlib.suppress(JobUnknown):
                status, uid = self.status(name), _read_json(self._jobs / name / "spec.json").get("uid") or 0
                ended = status.ended_at.timestamp() if status.ended_at and status.state is JobState.ENDED else None
                if status.address is None or (ended is not None and ended < time.time() - CLOSED_S):
                    self._over.add(name)
                else:
                    found.append(Place(status.address, uid, is_open=status.state not in FINAL))
        return found

    def _folder(self, job_id: str) -> Path:
        job = self._jobs / job_id
        if not sandbox.JOB_ID.fullmatch(job_id) or not (job / "spec.json").exists():
            raise JobUnknown(f"The launcher has no job {job_id}. It may have been cleaned up.")
        return job

    def _write(self, job: Path, spec: JobSpec) -> None:
        """Make the job's folder in one step: whoever renames first wins, a half-written one is never seen."""
        draft = self._jobs / f".{spec.id}.{new_key(6)}"
        try:
            draft.mkdir(mode=0o750)
            (draft / "spec.json").write_text(json.dumps(self._document(spec)))
            draft.rename(job)
        except FileExistsError:
            shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not job.exists():
                raise error

    def _document(self, spec: JobSpec) -> dict[str, Any]:
        address = addresses.take(self._jobs) if spec.listens else None
        bwrap, way = [], self._way(spec)
        if self._found.bwrap:
            readable = [str(p) for p in self._options.readable_paths]
            bwrap = sandbox.bwrap_argv(
                self._found.bwrap,
                spec,
                way=way,
                tmp_size=self._options.tmp_size,
                readable=readable,
                links=self._links,
            )
        return {
            "format": 1,
            "id": spec.id,
            "argv": sandbox.fill(spec.argv, address),
            "bwrap": bwrap,
            "cwd": spec.cwd,
            "way": way.value,
            "uid": spec.uid if self._found.is_root else None,
            "gid": spec.gid if spec.gid is not None else spec.uid,
            "groups": self._found.groups.groups(spec.id, spec.resources),
            "rlimits": self._rlimits(spec),
            "grace": spec.grace.total_seconds(),
            "log_size": self._options.log_size,
            "log_files": self._options.log_files,
            "address": address,
            "labels": dict(spec.labels),
        }

    def _way(self, spec: JobSpec) -> sandbox.Way:
        if self._found.bwrap is None:
            return sandbox.Way.BARE
        if not self._found.is_root:
            return sandbox.Way.USER
        if spec.uid is None:
            return sandbox.Way.ROOT
        readable = self._found.user_namespaces and all(is_open(Path(mount.source)) for mount in spec.mounts)
        return sandbox.Way.USER if readable else sandbox.Way.SETPRIV

    def _rlimits(self, spec: JobSpec) -> dict[str, int]:
        limits = {"RLIMIT_CORE": 0}
        if self._found.groups.limits == "rlimits":
            if spec.resources.memory_limit:
                limits["RLIMIT_AS"] = spec.resources.memory_limit + ADDRESS_SPACE_MARGIN
            if spec.resources.processes_limit:
                limits["RLIMIT_NPROC"] = _threads_of_user() + spec.resources.processes_limit + NPROC_MARGIN
        return limits

    def _start(self, job: Path, spec: JobSpec) -> None:
        """The variables go through a sealed memory file: never an argument, a disk or the shim's own environment."""
        document = _read_json(job / "spec.json")
        address = document.get("address")
        env = dict(zip(spec.env, sandbox.fill(spec.env.values(), address), strict=True))
        secret = os.memfd_create("job", os.MFD_ALLOW_SEALING)
        try:
            os.write(secret, _SECRETS[sandbox.Way(document["way"])](env))
            fcntl.fcntl(secret, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            os.lseek(secret, 0, os.SEEK_SET)
            os.set_inheritable(secret, True)
            shim = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SHIM), str(job), str(secret)],
                pass_fds=[secret],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(job / "shim.err").open("ab"),
                start_new_session=True,
                cwd="/",
                env={},
            )
            self._shims.append(shim)
        finally:
            os.close(secret)

    def _set_frozen(self, job: Path, state: dict[str, Any], *, frozen: bool) -> None:
        mark = job / "frozen"
        if frozen:
            mark.touch()
        group = self._found.groups.freezer_group(job.name)
        freezer.set_frozen(group, state.get("init"), int(state["pid"]), frozen=frozen)
        if not frozen:
            mark.unlink(missing_ok=True)
            self._found.groups.end_swapping(job.name)

    def _reap(self) -> None:
        self._shims = [shim for shim in self._shims if shim.poll() is None]


_SECRETS: dict[sandbox.Way, Callable[[dict[str, str]], bytes]] = {
    sandbox.Way.USER: sandbox.secret_arguments,
    sandbox.Way.ROOT: sandbox.secret_arguments,
    sandbox.Way.SETPRIV: sandbox.secret_script,
    sandbox.Way.BARE: lambda env: json.dumps(env).encode(),
}


def _known(job: Path, known: JobStatus, state: dict[str, Any]) -> JobStatus:
    reached = JobState(state["state"])
    known = replace(
        known,
        state=reached,
        cancelled=(job / "cancelled").exists(),
        pid=state.get("init") or state.get("pid"),
        exit_code=state.get("exit_code"),
        out_of_memory=bool(state.get("out_of_memory")),
        memory_warning=bool(state.get("memory_warning")),
        memory_peak=state.get("memory_peak"),
        reason=state.get("reason", ""),
        started_at=_moment(state.get("started")),
        ended_at=_moment(state.get("ended")),
    )
    if reached is not JobState.ENDED and not _is_locked(job):
        fresh = _read_json(job / "state.json")  # it may have ended between the two looks
        if fresh.get("state") != "ended":
            return replace(
                known,
                state=JobState.LOST,
                reason="It vanished without a report: the machine restarted, or its shim was killed.",
            )
        return _known(job, known, fresh)
    if reached is JobState.RUNNING and (job / "frozen").exists():
        return replace(known, state=JobState.FROZEN)
    return known


def _is_locked(job: Path) -> bool:
    """Whether a shim lives: it holds this lock for as long as it does."""
    try:
        descriptor = os.open(job / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return {}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _threads_of_user() -> int:
    count = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and Path(f"/proc/{name}").stat().st_uid == os.geteuid():
                count += len(os.listdir(f"/proc/{name}/task"))
    return count
