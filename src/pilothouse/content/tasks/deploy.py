"""Deploying a bundle, in recorded steps: each may be repeated, none is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Principal, ResourceRef
from pilothouse.content.contract import BundleUnknown, ContentKind, ContentUnknown, Manifest, Project, StartFailed
from pilothouse.content.models import VERSION_COLUMNS, Bundle, Content, Deployment, Lock
from pilothouse.content.service.manifests import kind_of, parse_manifest, read_manifest
from pilothouse.content.service.threads import note_live
from pilothouse.content.service.workers import UP, drain_others, live_worker, wanted_worker
from pilothouse.content.tasks.engines import ContentEngines, Language
from pilothouse.content.tasks.sandbox import BuildSandbox
from pilothouse.content.tasks.start import bring_up
from pilothouse.db import Tx
from pilothouse.launcher.contract import LauncherDown
from pilothouse.runtimes.contract import Lock as ExactLock
from pilothouse.runtimes.contract import Runtime, Wanted
from pilothouse.runtimes.matching import TITLES, match
from pilothouse.storage.unpack import Unpacked, content_root, unpack
from pilothouse.tasks import Handler, Run


def deploy_task(engines: ContentEngines) -> Handler:
    """The handler of ``content.deploy``: unpack, match, lock, restore, verify, activate."""

    def handler(run: Run) -> dict[str, Any]:
        return _Deploy(engines, run).work()

    return handler


class _Deploy:
    def __init__(self, engines: ContentEngines, run: Run) -> None:
        self.engines, self.run = engines, run
        self.content_id, self.bundle_id = int(run.args["content_id"]), int(run.args["bundle_id"])

    def work(self) -> dict[str, Any]:
        run = self.run
        if run.step("look", self.look)["is_up"]:
            run.log(f"Bundle {self.bundle_id} was built and verified before, and is up.")
        else:
            self.build()
        if not run.args.get("verify", True):
            run.log(f"Bundle {self.bundle_id} is built; nothing was started, and what is active did not change.")
            return {}
        if not run.args["activate"]:
            run.log(f"Bundle {self.bundle_id} is ready as a draft; what is active did not change.")
            return {}
        run.log(f"Activating bundle {self.bundle_id} …")
        run.step("activate", self.activate)
        run.log("Done.")
        return {}

    def look(self) -> dict[str, Any]:
        """Whether a worker of this very bundle is ready: then there is nothing to build and nothing to verify."""
        with self.engines.database.read() as tx:
            self.rows(tx)
            worker = live_worker(tx, self.bundle_id)
        return {"is_up": worker is not None and worker.state in UP}

    def build(self) -> None:
        run = self.run
        run.log(f"Bundle {self.bundle_id}: unpacking …")
        run.step("unpack", self.unpack)
        kind, manifest = self.kind()
        if kind.language:
            run.log(f"Choosing a {TITLES[kind.language]} …")
            run.step("runtime", lambda: self.choose_runtime(kind, manifest))
            run.log("Locking packages …")
            run.step("lock", lambda: self.lock(kind))
            run.log("Restoring the library …")
            run.step("library", lambda: self.restore(kind))
        if not kind.serves_files and run.args.get("verify", True):
            run.log("Starting it once to see that it runs …")
            run.step("verify", self.verify)

    def unpack(self) -> dict[str, Any]:
        """Also checks the manifest and the entry point, so that a wrong bundle fails at once."""
        engines = self.engines
        with engines.database.read() as tx:
            content, bundle = self.rows(tx)
        folder = engines.folder(content, bundle)
        if bundle.manifest is not None and folder.is_dir():
            self.run.log("  It is unpacked already.")  # and may be in use: it must not be replaced
            return {}
        archive = engines.blobs.file(bundle.digest)
        unpacked = self.unpacked(archive, folder)
        root = content_root(folder)
        manifest = read_manifest(root)
        kind = kind_of(manifest)
        kind.validate(Project(root, manifest))
        with engines.database.write() as tx:
            content, bundle = self.rows(tx)
            bundle.manifest, bundle.app_mode, bundle.entrypoint = (
                dict(manifest.document),
                manifest.app_mode,
                manifest.entrypoint[:255],
            )
            if content.app_mode == "unknown":
                content.app_mode, content.category = manifest.app_mode, manifest.category
        self.run.log(f"  {unpacked.files} files, {unpacked.bytes / 1024**2:.1f} MB; kind {manifest.app_mode}.")
        return {}

    def unpacked(self, archive: Path, folder: Path) -> Unpacked:
        """What unpacks may be ended half-way with the launcher, and then begins anew."""
        engines, uid = self.engines, self.engines.uid_of(self.content_id)
        limits, custodian = engines.unpack_limits, engines.custodian
        try:
            return unpack(archive, folder, limits=limits, uid=uid, custodian=custodian)
        except LauncherDown:
            return unpack(archive, folder, limits=limits, uid=uid, custodian=custodian)

    def choose_runtime(self, kind: ContentKind, manifest: Manifest) -> dict[str, Any]:
        version, requires = manifest.version_of(kind.language)
        with self.engines.database.read() as tx:
            policy = self.engines.matching(self.rows(tx)[0].stage_id)
        chosen = match(version, requires, self.engines.runtimes(), policy, kind.language)
        self.run.log(
            f"  {TITLES[kind.language]} {chosen.version} (the bundle asks for {requires or version or 'any version'})."
        )
        with self.engines.database.write() as tx:
            setattr(self.rows(tx)[1], VERSION_COLUMNS[kind.language], chosen.version)
        return {"path": str(chosen.path)}

    def lock(self, kind: ContentKind) -> dict[str, Any]:
        """The same requirements, interpreter and index reuse the lock that was made first.

        A lock with packages that were built for this content is this content's alone (SECURITY 18).
        """
        runtime, project, language = self.runtime(), self.project(), self.language(kind)
        restorer = language.restorer
        text = project.requirements
        if text is None:
            self.run.log(
                f"  The bundle has no {project.manifest.requirements_file}: only what the server itself needs is installed."
            )
        parts = [text or "", *kind.requirements, runtime.build, str(runtime.path), language.index]
        shared, own = _digest(parts), _digest([*parts, f"content {self.content_id}"])
        with self.engines.database.read() as tx:
            content, bundle = self.rows(tx)
            same = select(Lock).where(Lock.requirements_digest.in_((shared, own))).order_by(Lock.id.desc())
            found = tx.scalar(same.limit(1))
        if found is not None and self.can_restore(kind, found):
            self.run.log("  Using the lock made for the same requirements.")
            return {"lock_id": found.id}
        sandbox = BuildSandbox(self.engines, content, bundle)
        exact = restorer.resolve(Wanted(text or "", kind.requirements), runtime, self.indented, sandbox)
        row = Lock(
            requirements_digest=shared if exact.is_shareable else own,
            language=kind.language,
            library_key=restorer.key(exact, runtime),
            runtime_version=runtime.version,
            document=exact.document(),
        )
        with self.engines.database.write() as tx:
            tx.add(row)
            tx.flush()
            return {"lock_id": row.id}

    def can_restore(self, kind: ContentKind, lock: Lock) -> bool:
        """A package that was built here and cleaned up since must be built again."""
        restorer = self.language(kind).restorer
        return restorer.find(lock.library_key) is not None or restorer.has(ExactLock.from_document(lock.document))

    def restore(self, kind: ContentKind) -> dict[str, Any]:
        lock_id = self.run.step("lock", lambda: None)["lock_id"]
        with self.engines.database.read() as tx:
            row = tx.get(Lock, lock_id)
        assert row is not None
        exact = ExactLock.from_document(row.document)
        library = self.language(kind).restorer.restore(exact, self.runtime(), self.indented)
        with self.engines.database.write() as tx:
            self.rows(tx)[1].library_key = library.key
        return {}

    def verify(self) -> dict[str, Any]:
        """A worker of this bundle comes up; it is kept and becomes the first active one. Repeated after a kill."""
        with self.engines.database.read() as tx:
            content, _ = self.rows(tx)
        problem = bring_up(self.engines, wanted_worker(self.engines.database, content.id, self.bundle_id))
        if problem is not None and problem.was_stopped:  # the server was told to end all jobs meanwhile
            problem = bring_up(self.engines, wanted_worker(self.engines.database, content.id, self.bundle_id))
        if problem is None:
            self.run.log("  It is up.")
            return {}
        for line in problem.lines:
            self.run.log(f"  | {line}")
        raise StartFailed(problem.sentence)

    def activate(self) -> dict[str, Any]:
        """One transaction: the active bundle, its deployment and audit event, and the draining of what ran before."""
        with self.engines.database.write() as tx:
            content, bundle = self.rows(tx)
            before = content.bundle_id
            manifest = parse_manifest(bundle.manifest)
            content.bundle_id, content.app_mode, content.category = bundle.id, manifest.app_mode, manifest.category
            content.parameterized = manifest.has_parameters
            content.py_version, content.node_version = bundle.py_version, bundle.node_version
            content.last_deployed_at, bundle.state = clock.now(), "active"
            tx.add(
                Deployment(content_id=content.id, bundle_id=bundle.id, task_id=self.run.id, actor_id=self.run.actor_id)
            )
            drain_others(tx, content, bundle.id)
            if before is None or bundle.id > before:  # going back is no fix
                note_live(tx, content)
            actor = Principal(self.run.actor_id, None) if self.run.actor_id else SYSTEM
            subject = ResourceRef("content", content.id)
            old, new = {"bundle_id": before}, {"bundle_id": bundle.id}
            record(tx, actor, "content:content:activated", subject, stage_id=content.stage_id, before=old, after=new)
        return {}

    def rows(self, tx: Tx) -> tuple[Content, Bundle]:
        content, bundle = tx.get(Content, self.content_id), tx.get(Bundle, self.bundle_id)
        if content is None or content.deleted_at is not None:
            raise ContentUnknown("The content was deleted meanwhile.")
        if bundle is None or bundle.deleted_at is not None:
            raise BundleUnknown("The bundle was deleted meanwhile.")
        return content, bundle

    def project(self) -> Project:
        with self.engines.database.read() as tx:
            content, bundle = self.rows(tx)
        return Project(content_root(self.engines.folder(content, bundle)), parse_manifest(bundle.manifest))

    def kind(self) -> tuple[ContentKind, Manifest]:
        manifest = self.project().manifest
        return kind_of(manifest), manifest

    def language(self, kind: ContentKind) -> Language:
        return self.engines.languages[kind.language]

    def runtime(self) -> Runtime:
        path = self.run.step("runtime", lambda: None)["path"]
        found = next((r for r in self.engines.runtimes() if str(r.path) == path), None)
        if found is None:
            raise StartFailed(
                f"The interpreter {path} was removed from the server while this was deploying. Deploy again."
            )
        return found

    @property
    def indented(self) -> Callable[[str], None]:
        return lambda text: self.run.log(f"  {text}")


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
