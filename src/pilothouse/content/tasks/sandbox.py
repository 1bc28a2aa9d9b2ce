"""Code of package authors runs as the content's user in a job without network: building packages for one deploy (SECURITY 17)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from pilothouse.base.ids import new_key
from pilothouse.content.models import Bundle, Content
from pilothouse.content.service.terms import resources_of
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.content.tasks.start import note_status, status_of
from pilothouse.launcher.contract import FINAL, JobSpec, JobState, JobStatus, Mount
from pilothouse.launcher.models import Job
from pilothouse.runtimes.contract import BuildFailed, BuildRefused, Log, Step
from pilothouse.storage import custody

BUILD_TAG = "python_restore"
HERE = "/build"
REMEDY = "choose versions that have a wheel for Linux"
LINES = 2000
POLL_S, SIZE_EVERY_S = 0.05, 1.0
ENV = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": HERE,
    "TMPDIR": "/tmp",  # noqa: S108 - the job's own
    "LANG": "C.UTF-8",
    "NO_COLOR": "1",
}


class BuildSandbox:
    """Implements `runtimes.contract.Sandbox` for one bundle, with the launcher that runs the content itself."""

    def __init__(self, engines: ContentEngines, content: Content, bundle: Bundle) -> None:
        self._engines, self._content, self._bundle = engines, content, bundle

    @contextmanager
    def folder(self) -> Iterator[Path]:
        if not self._engines.builds_allowed:
            raise BuildRefused(f"This server does not build packages (runtimes.builds is off): {REMEDY}.")
        if self._engines.launcher.capabilities().isolation == "none":
            raise BuildRefused(
                f"This server has no sandbox to build packages in: {REMEDY}, or ask an administrator to install bubblewrap."
            )
        self._engines.builds.mkdir(mode=0o711, parents=True, exist_ok=True)
        path = self._engines.builds / new_key(12)
        path.mkdir(mode=0o700)
        uid = self._engines.uid_of(self._content.id)
        try:
            custody.give(path, uid, self._engines.custodian, mode=custody.SHARED)
            yield path
        finally:
            custody.remove(path, uid, self._engines.custodian)

    def run(self, step: Step, log: Log) -> None:
        self._end_left_ones()
        job = self._job_row()
        try:
            status = self._engines.launcher.submit(self._spec(job, step))
            failure = self._watch(status, step.folder, log)
        finally:
            if status_of(self._engines, job) is not None:
                self._engines.launcher.cancel(job.key)
            last = self._ended(job)
            with self._engines.database.write() as tx:
                note_status(tx, job.id, last)
        if failure or last.exit_code != 0:
            raise BuildFailed(f"The build failed. {failure or last.reason}")

    def _end_left_ones(self) -> None:
        """A build of this bundle that was cut off with the server goes: it has lost its way to the index."""
        mine = (Job.tag == BUILD_TAG, Job.bundle_id == self._bundle.id, Job.ended_at.is_(None))
        with self._engines.database.read() as tx:
            left = tx.scalars(select(Job).where(*mine)).all()
        for job in left:
            if status_of(self._engines, job) is not None:
                self._engines.launcher.cancel(job.key)
            last = self._ended(job)
            with self._engines.database.write() as tx:
                note_status(tx, job.id, last)

    def _job_row(self) -> Job:
        uid = self._engines.uid_of(self._content.id)
        job = Job(
            key=new_key(16), tag=BUILD_TAG, stage_id=self._content.stage_id, subject_kind="content", subject_id=self._content.id,
            bundle_id=self._bundle.id, load_group=self._engines.rules.group_of(self._content).key, run_as="" if uid is None else str(uid),
        )  # fmt: skip
        with self._engines.database.write() as tx:
            tx.add(job)
        return job

    def _spec(self, job: Job, step: Step) -> JobSpec:
        """No variables of the content, no key, no network."""
        uid = self._engines.uid_of(self._content.id)
        mounts = [Mount(str(step.folder), HERE, writable=True), *(Mount(*pair) for pair in step.readable.items())]
        return JobSpec(
            id=job.key, argv=step.argv, env=ENV, cwd=HERE, mounts=tuple(mounts), uid=uid, gid=uid, load_group=job.load_group,
            resources=resources_of(self._engines.rules.group_of(self._content)), network=False, labels={"content": self._content.guid, "build": "1"},
            grace=timedelta(seconds=2),
        )  # fmt: skip

    def _watch(self, status: JobStatus, folder: Path, log: Log) -> str:
        """Follow the job to its end; returns why it was ended early, if it was."""
        engines, told, look_at = self._engines, 0, time.monotonic() + SIZE_EVERY_S
        deadline = time.monotonic() + engines.build_timeout.total_seconds()
        while True:
            is_over = status.state in FINAL
            told = self._tell(status, told, log)
            if is_over:
                return "" if status.exit_code == 0 else status.reason
            if time.monotonic() > deadline:
                return f"It did not end within {engines.build_timeout.total_seconds():.0f} seconds."
            if time.monotonic() > look_at:
                look_at = time.monotonic() + SIZE_EVERY_S
                if self._size_of(folder) > engines.build_size_limit:
                    return f"It wrote more than {engines.build_size_limit / 1024**2:.0f} MB."
            time.sleep(POLL_S)
            status = engines.launcher.status(status.id)

    def _size_of(self, folder: Path) -> int:
        return custody.size_of(folder, self._engines.uid_of(self._content.id), self._engines.custodian)

    def _tell(self, status: JobStatus, told: int, log: Log) -> int:
        """Print the lines after number ``told``; of a chatty build the first ones. Returns the last one's number."""
        lines = self._engines.launcher.logs(status.id, after=told, limit=max(0, LINES - told)) if told < LINES else ()
        for told, line in lines:
            log(f"| {line.text}")
            if told == LINES:
                log("| … (the rest is in the log of the job)")
        return told

    def _ended(self, job: Job) -> JobStatus:
        """The status once it is final: nobody writes into the folder any more."""
        deadline = time.monotonic() + 30
        while True:
            status = status_of(self._engines, job)
            if status is None or time.monotonic() > deadline:
                return JobStatus(job.key, JobState.LOST, reason="The launcher does not know it any more.")
            if status.state in FINAL:
                return status
            time.sleep(POLL_S)
