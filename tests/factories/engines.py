"""The engines of content's background work over memory backends, and content that can be started with them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pilothouse.base.ids import new_guid
from pilothouse.content.models import Bundle, Content, Worker
from pilothouse.content.service import WorkerRules
from pilothouse.content.tasks import ContentEngines, Language
from pilothouse.db import Database, Watch
from pilothouse.db.secrets import load_secrets
from pilothouse.identity.models import User
from pilothouse.launcher.backends.memory import MemoryLauncher
from pilothouse.launcher.contract import JobSpec, JobStatus, MachineMemory
from pilothouse.runtimes.contract import Lock, Runtime
from pilothouse.runtimes.restorers.memory import MemoryRestorer
from pilothouse.settings import Settings
from pilothouse.stages import Stages
from pilothouse.stages.models import Stage
from pilothouse.storage.stores.memory import MemoryStore
from pilothouse.storage.unpack import UnpackLimits

LISTENS = "import socket, sys, time; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); time.sleep(600)"
ENDS = (
    "import socket, sys, time; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); s.accept(); time.sleep(0.2)"
)
SLEEPS = "import time; time.sleep(600)"
MANIFEST = {"version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app:app"}}
GB = 1024**3
PYTHON = Runtime("python", "3.11.0", Path(sys.executable), "build")


class StandIn(MemoryLauncher):
    """A launcher that runs a small script of ours in place of every command. ``specs`` are the jobs that were new to it."""

    def __init__(self, script: str = LISTENS) -> None:
        super().__init__()
        self.script, self.specs, self.before = script, list[JobSpec](), lambda: None
        self.machine, self.swapped = MachineMemory(10 * GB, 10 * GB, 0), list[str]()

    def submit(self, spec: JobSpec) -> JobStatus:
        self.before()
        is_new = spec.id not in self.store
        words = (sys.executable, "-c", self.script, "{host}", "{port}")
        status = super().submit(replace(spec, argv=words, cwd="/", grace=timedelta(seconds=1)))
        if is_new:
            self.specs.append(spec)
        return status

    def memory(self) -> MachineMemory:
        return self.machine

    def reclaim(self, job_id: str) -> int:
        self.swapped.append(job_id)
        return 50_000_000


def engines_over(
    database: Database, folder: Path, launcher: MemoryLauncher, rules: WorkerRules | None = None
) -> ContentEngines:
    """Engines whose library of no packages is restored already. ``rules`` default to those of the default settings."""
    stages = Stages(database, Watch(database))
    folder.mkdir(exist_ok=True)
    restorer = MemoryRestorer(folder / "libraries")
    restorer.restore(Lock(()), PYTHON, lambda text: None)
    never: Callable[[int], int | None] = lambda content_id: None  # noqa: E731
    return ContentEngines(
        database=database, secrets=load_secrets(folder / "keys" / "secrets.json"), jobs_key=b"k" * 32, blobs=MemoryStore(),
        launcher=launcher, languages={"python": Language(restorer)}, stages=stages, apps=folder / "apps",
        runtimes=lambda: [PYTHON], matching=lambda stage: "nearest", public_url=lambda stage: "http://localhost:3939",
        rules=rules or WorkerRules(Settings(), stages), uid_of=never, unpack_limits=UnpackLimits(100, 10_000_000),
        builds=folder / "builds", build_timeout=timedelta(minutes=1), build_size_limit=100 * 1024 * 1024,
        drain_timeout=timedelta(minutes=1),
    )  # fmt: skip


def rules_with(database: Database, **content: Any) -> WorkerRules:
    """Rules of the default settings but for these options of ``[content]``."""
    return WorkerRules(Settings.model_validate({"content": content}), Stages(database, Watch(database)))


def add_app(engines: ContentEngines) -> tuple[int, int]:
    """A person's content with one unpacked bundle whose library exists; returns its id and the bundle's."""
    with engines.database.write() as tx:
        tx.add_all(
            [User(id=1, guid=new_guid(), username="amara"), Stage(id=1, key="dev", title="Dev", path="/", position=0)]
        )
        tx.flush()
        content = Content(guid=new_guid(), lineage_id=new_guid(), stage_id=1, owner_id=1, name="app")
        tx.add(content)
        tx.flush()
        bundle = Bundle(
            content_id=content.id, digest="0" * 64, size_bytes=1, archive_md5="", archive_sha1="", manifest=MANIFEST,
            library_key=engines.languages["python"].restorer.key(Lock(()), PYTHON),
        )  # fmt: skip
        tx.add(bundle)
        tx.flush()
    folder = engines.folder(content, bundle)
    folder.mkdir(parents=True)
    (folder / "app.py").touch()
    return content.id, bundle.id


def add_worker(engines: ContentEngines, content_id: int, bundle_id: int) -> int:
    """A worker that is wanted and not started yet."""
    with engines.database.write() as tx:
        worker = Worker(content_id=content_id, bundle_id=bundle_id)
        tx.add(worker)
        tx.flush()
        return worker.id
