"""Starting one worker: job row, key, job, and waiting until it listens. Safe to repeat at any point, and from two threads."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, ResourceRef, Role
from pilothouse.base.errors import PilothouseError
from pilothouse.base.ids import derived_token, new_key
from pilothouse.content.contract import Launch, Project, StartFailed
from pilothouse.content.models import Bundle, Content, Worker, WorkerState
from pilothouse.content.service.integrations import acts_for_itself
from pilothouse.content.service.manifests import kind_of, parse_manifest
from pilothouse.content.service.variables import variable_values
from pilothouse.content.service.workers import UP, held, move
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.db import DatabaseDown, Tx
from pilothouse.identity.contract import Bound
from pilothouse.identity.models import User
from pilothouse.identity.service import create_key, revoke_job_keys
from pilothouse.launcher.contract import FINAL, JobSpec, JobState, JobStatus, JobUnknown, Mount
from pilothouse.launcher.models import Job
from pilothouse.storage.unpack import content_root
from pilothouse.tasks import Handler, Run

KINDS = Path(__file__).parent.parent / "kinds"
APP, START, PRELOAD = "/app", "/pilothouse/start.py", "/pilothouse/start.cjs"
#: Our scripts that run inside jobs, and where they are seen there.
STARTERS = {KINDS / "_start.py": START, KINDS / "_start.cjs": PRELOAD}
POLL_S = 0.02
LOG_TAIL = 40
GRACE = timedelta(seconds=10)
#: Never set by users: they say where a worker runs and as whom.
PRODUCT = {"POSIT_PRODUCT": "CONNECT", "RSTUDIO_PRODUCT": "CONNECT"}


@dataclass(frozen=True)
class Problem:
    """Why a worker did not come up: a sentence, and its last lines. ``was_stopped``: on purpose, so another may be started."""

    sentence: str
    lines: tuple[str, ...] = ()
    was_stopped: bool = False


def start_task(engines: ContentEngines) -> Handler:
    """The handler of ``content.start_worker``."""

    def handler(run: Run) -> dict[str, Any]:
        problem = bring_up(engines, int(run.args["worker_id"]))
        if problem is not None:
            raise StartFailed(problem.sentence)
        return {}

    return handler


def bring_up(engines: ContentEngines, worker_id: int) -> Problem | None:
    """Have the worker run and listen; returns the problem if it does not. Waits at most the content's init timeout."""
    with engines.database.read() as tx:
        worker = tx.get(Worker, worker_id)
        content = tx.get(Content, worker.content_id) if worker else None
        bundle = tx.get(Bundle, worker.bundle_id) if worker else None
    if worker is None or content is None or bundle is None:
        return Problem("The worker was removed meanwhile.")
    if worker.state in UP:
        return None
    if worker.state != WorkerState.STARTING:
        return Problem(worker.reason or "The worker ended.")
    job = _job_row(engines, worker, content, bundle)
    try:
        problem = _wait(engines, _submitted(engines, job, content, bundle), content)
    except DatabaseDown:
        raise  # the task goes on when it is back; nothing is known to be wrong with the worker
    except PilothouseError as error:
        problem = Problem(f"It could not be started: {error}")
    return _settle(engines, worker_id, job, problem)


def _job_row(engines: ContentEngines, worker: Worker, content: Content, bundle: Bundle) -> Job:
    with engines.database.write() as tx:
        live = held(tx, worker.id)  # the first of two makes the job's row, the other finds it
        if live.job_id is not None:
            found = tx.get(Job, live.job_id)
            assert found is not None
            return found
        uid = engines.uid_of(content.id)
        job = Job(
            key=new_key(16),
            tag=kind_of(parse_manifest(bundle.manifest)).job_tag,
            stage_id=content.stage_id,
            subject_kind="content",
            subject_id=content.id,
            bundle_id=bundle.id,
            load_group=engines.rules.group_of(content).key,
            run_as="" if uid is None else str(uid),
        )
        tx.add(job)
        tx.flush()
        live.job_id = job.id
        return job


def _submitted(engines: ContentEngines, job: Job, content: Content, bundle: Bundle) -> JobStatus:
    """A job that was not started yet is; two threads, or a second try after a kill, come to the same one with the same key."""
    status = status_of(engines, job)
    if status is not None and status.state not in (JobState.QUEUED, JobState.STARTING, JobState.LOST):
        return status
    with engines.database.write() as tx:
        tx.get(Job, job.id, with_for_update=True)  # one after the other
        spec = _spec(engines, tx, job, content, bundle)
    return engines.launcher.submit(spec)


def status_of(engines: ContentEngines, job: Job) -> JobStatus | None:
    """What the launcher knows of a job; ``None`` if it never heard of it or forgot it."""
    try:
        return engines.launcher.status(job.key)
    except JobUnknown:
        return None


def _spec(engines: ContentEngines, tx: Tx, job: Job, content: Content, bundle: Bundle) -> JobSpec:
    manifest = parse_manifest(bundle.manifest)
    kind = kind_of(manifest)
    if not engines.folder(content, bundle).is_dir():
        raise StartFailed("Its files are not on this server any more. Deploy the bundle again.")
    root = content_root(engines.folder(content, bundle))
    mounts = [Mount(str(root), APP), *(Mount(str(ours), seen) for ours, seen in STARTERS.items())]
    language = engines.languages.get(kind.language)
    library = language.restorer.find(bundle.library_key) if language and bundle.library_key else None
    if kind.language and library is None:
        raise StartFailed("Its packages are not on this server any more. Deploy the bundle again to restore them.")
    if library is not None:
        mounts += [Mount(*pair) for pair in library.mounts]
    interpreter = str(library.interpreter) if library else ""
    secret = derived_token(engines.jobs_key, f"content {content.guid}")
    command = kind.command(Launch(Project(root, manifest), APP, interpreter, START, PRELOAD, secret))
    uid = engines.uid_of(content.id)
    return JobSpec(
        id=job.key,
        argv=command.argv,
        env={
            **_base(engines, content, job),
            **variable_values(tx, content, engines.secrets),
            **command.env,
            **_given(engines, tx, content, job),
        },
        cwd=APP,
        mounts=tuple(mounts),
        uid=uid,
        gid=uid,
        load_group=job.load_group,
        resources=engines.rules.terms(content).resources,
        listens=True,
        labels={"content": content.guid, "bundle": str(bundle.id)},
        grace=GRACE,
    )


def _base(engines: ContentEngines, content: Content, job: Job) -> dict[str, str]:
    """What users may set differently."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the job's own, empty and writable
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "CONNECT_SERVER": f"{engines.public_url(content.stage_id)}/",
        "R_CONFIG_ACTIVE": "rsconnect",
    }


def _given(engines: ContentEngines, tx: Tx, content: Content, job: Job) -> dict[str, str]:
    """What users can't change; the key acts as the owner, capped at publisher, and dies with the job (SECURITY 16)."""
    owner = tx.get(User, content.owner_id)
    given = {**PRODUCT, "CONNECT_CONTENT_GUID": content.guid, "CONNECT_CONTENT_JOB_KEY": job.key}
    if owner is None or owner.locked:
        return given
    bound = Bound(ResourceRef("content", content.id), job.id, content.stage_id)
    token = derived_token(engines.jobs_key, f"{job.key} {owner.id}")
    made = create_key(tx, SYSTEM, owner, name=f"job {job.key}", role_cap=Role.PUBLISHER, bound=bound, token=token)
    given["CONNECT_API_KEY"] = made.plain
    if acts_for_itself(tx, content.id):
        given["CONNECT_CONTENT_SESSION_TOKEN"] = engines.app_tokens.of_content(content.id, job.key)
    return given


def _wait(engines: ContentEngines, status: JobStatus, content: Content) -> Problem | None:
    limit = engines.rules.terms(content).init_timeout
    deadline = time.monotonic() + limit
    while True:
        if status.state in FINAL:
            return Problem(f"It ended while starting: {status.reason}", _tail(engines, status.id), status.cancelled)
        if status.address and _listens(status.address):
            return None
        if time.monotonic() >= deadline:
            sentence = f"It runs but does not listen on {status.address} after {limit:.0f} seconds. It must listen on the host and port it is given."
            return Problem(sentence, _tail(engines, status.id))
        time.sleep(POLL_S)
        status = engines.launcher.status(status.id)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False


def _tail(engines: ContentEngines, job_key: str) -> tuple[str, ...]:
    return tuple(line.text for _, line in list(engines.launcher.logs(job_key, limit=100_000))[-LOG_TAIL:])


def _settle(engines: ContentEngines, worker_id: int, job: Job, problem: Problem | None) -> Problem | None:
    """Write down how it went. A job whose worker is not wanted any more is ended, so that nothing runs unseen."""
    status = status_of(engines, job) or JobStatus(job.key, JobState.LOST, reason="It was never started.")
    with engines.database.write() as tx:
        worker = held(tx, worker_id)
        note_status(tx, job.id, status)
        if problem is not None:
            move(worker, WorkerState.ENDED if problem.was_stopped else WorkerState.FAILED, reason=problem.sentence)
        else:
            worker.address, worker.last_used_at = status.address, clock.now()
            if not move(worker, WorkerState.READY) and worker.state != WorkerState.READY:
                problem = Problem(worker.reason or "It was stopped while it started.")
    if problem is not None and status.state not in FINAL:
        engines.launcher.cancel(job.key)
    return problem


def note_status(tx: Tx, job_id: int, status: JobStatus) -> None:
    """Copy what the launcher knows into the job's row; the keys of an ended job end with it."""
    row = tx.get(Job, job_id)
    assert row is not None
    row.state, row.address, row.node, row.pid = status.state.value, status.address, status.node, status.pid
    row.started_at, row.reason = status.started_at, status.reason
    if status.state in FINAL and row.ended_at is None:
        row.ended_at, row.exit_code = status.ended_at or clock.now(), status.exit_code
        row.out_of_memory = status.out_of_memory
        revoke_job_keys(tx, job_id)
