"""Content's URLs, as the gateway asks for them: ``/content/{guid}/…`` or a vanity path, drafts and revisions. Answers from memory."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, may
from pilothouse.base.errors import PilothouseError
from pilothouse.content.models import Bundle, Content, WorkerState
from pilothouse.content.models import Worker as WorkerRow
from pilothouse.content.service.deployments import DEPLOY, UNDER_WAY
from pilothouse.content.service.integrations import acts_for_visitors
from pilothouse.content.service.manifests import kind_of, parse_manifest
from pilothouse.content.service.scaling import Chooser, Ready
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.terms import Terms
from pilothouse.content.service.vanity import VanityPaths
from pilothouse.content.service.workers import LIVE, failure
from pilothouse.db import Database, Memory, Tx, Watch
from pilothouse.gateway.contract import (
    Asked,
    Asleep,
    Broken,
    Busy,
    ControlPlane,
    Place,
    Start,
    StaticFile,
    Target,
    Timeout,
    Worker,
)
from pilothouse.identity.models import User
from pilothouse.launcher.models import Job
from pilothouse.storage.unpack import content_root
from pilothouse.tasks.models import Task

CONTENT = re.compile(r"/content/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,18})(/.*)?")
REVISION = re.compile(r"(_bundle|_rev)([0-9]{1,18})(/.*)?")
#: Below content's own address, not below a path of its own: what the control plane answers.
THUMBNAIL = "__thumbnail__"
TEXT = {
    ".html": "html",
    ".htm": "html",
    ".css": "css",
    ".txt": "plain",
    ".js": "javascript",
    ".mjs": "javascript",
    ".md": "markdown",
}


UNPACKING_S = 60.0
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Known:
    """What the routes remember of one content."""

    id: int
    guid: str
    stage_id: int
    title: str
    owner_id: int
    owner: str
    bundle_id: int | None
    locked: bool
    locked_message: str
    resource: Resource
    terms: Terms
    acts_for_visitors: bool


@dataclass(frozen=True)
class _Runnable:
    """What they remember of one bundle: the folder its files are in, and whether they are sent as they are.

    Of one that was not unpacked yet only whose it is.
    """

    id: int
    content_id: int
    digest: str = ""
    serves_files: bool = False
    strips_prefix: bool = False
    start_page: str = ""
    root: Path | None = None
    is_unpacked: bool = False


@dataclass(frozen=True)
class _Standing:
    """And of its workers. ``reason``: the last one failed, and none is started before ``until``."""

    bundle_id: int
    ready: tuple[Ready, ...] = ()
    live: int = 0
    is_starting: bool = False
    start: Start | None = None
    reason: str = ""
    until: datetime = LONG_AGO


class ContentRoutes:
    """Implements `gateway.contract.RouteOwner`.

    ``folder`` gives the unpacked bundle's folder, ``rouse`` starts or thaws a worker of a content's bundle for a visitor and
    returns at once; ``public_url`` a stage's base URL. ``chooser`` says which worker a request goes to. Safe to call from several threads.
    """

    def __init__(
        self,
        database: Database,
        watch: Watch,
        *,
        folder: Callable[[Content, Bundle], Path],
        rouse: Callable[[int, int, int | None], None],
        public_url: Callable[[int], str],
        chooser: Chooser,
    ) -> None:
        self._database, self._folder, self._rouse, self._public_url = database, folder, rouse, public_url
        self._chooser = chooser
        self._vanity = VanityPaths(database, watch)
        self._contents = Memory(
            watch, ("content", "identity"), self._read_content, sources=_sources_of, names=_names_of
        )
        self._bundles = Memory(
            watch, ("content",), self._read_bundle, sources=lambda b: (("content", b.content_id),) if b else ()
        )
        self._workers = Memory(
            watch, ("workers",), self._read_standing, sources=lambda found: (("workers", found.bundle_id),)
        )

    def find(self, asked: Asked) -> Place | None:
        found = self._named(asked)
        if found is None or found[0].stage_id != asked.stage_id:
            return None
        known, named, rest = found
        prefix = asked.stage_path.rstrip("/")
        mount, subject = f"{prefix}{named}", ResourceRef("content", known.id)
        if not asked.path.startswith(named):
            return Place(subject, known.stage_id, mount, "", known.guid, redirect=f"{mount}{rest}")
        revision = REVISION.fullmatch(rest)
        if revision is None:
            return Place(
                subject, known.stage_id, mount, rest, known.guid, requests_per_minute=known.terms.requests_per_minute
            )
        bundle = self._bundles.get(int(revision[2]))
        if bundle is None or bundle.content_id != known.id:
            return None
        below = f"{mount}{revision[1]}{revision[2]}/"
        redirect = below if revision[3] is None else None
        rest = (revision[3] or "/")[1:]
        return Place(
            subject, known.stage_id, below, rest, known.guid, bundle_id=bundle.id, redirect=redirect,
            requests_per_minute=known.terms.requests_per_minute,
        )  # fmt: skip

    def _named(self, asked: Asked) -> tuple[_Known, str, str] | None:
        """The content, its canonical mount below the stage, and what follows it in the path."""
        match = CONTENT.fullmatch(asked.path)
        if match is not None:
            known = self._contents.get(match[1])
            return (known, f"/content/{known.guid}/", (match[2] or "/")[1:]) if known else None
        vanity = self._vanity.find(asked.stage_id, asked.path)
        known = self._contents.get(vanity[0]) if vanity else None
        return (known, vanity[1], asked.path[len(vanity[1]) :]) if known and vanity else None

    def may_open(self, place: Place, principal: Principal) -> bool:
        known = self._contents.get(place.subject.id)
        if known is None or (principal.stage_id is not None and principal.stage_id != place.stage_id):
            return False
        is_draft = place.bundle_id is not None and "/_bundle" in place.mount and place.bundle_id != known.bundle_id
        return may(principal, Permission.CONTENT_READ if is_draft else Permission.CONTENT_VIEW, known.resource)

    def may_edit(self, place: Place, principal: Principal) -> bool:
        known = self._contents.get(place.subject.id)
        return known is not None and may(principal, Permission.CONTENT_READ, known.resource)

    def title(self, place: Place) -> str:
        known = self._contents.get(place.subject.id)
        return known.title if known else ""

    def whom_to_ask(self, place: Place) -> tuple[str, str]:
        known = self._contents.get(place.subject.id)
        if known is None:
            return "", ""
        return known.owner, f"{self._public_url(place.stage_id)}/_/content/{known.guid}/ask"

    def target(self, place: Place, asked: Asked) -> Target:
        known = self._contents.get(place.subject.id)
        if known is None:
            return Broken(404, "It was deleted.")
        log_url = f"{self._public_url(place.stage_id)}/_/content/{known.guid}/log"
        if place.rest == THUMBNAIL and place.mount.endswith(f"/content/{known.guid}/"):
            return ControlPlane()
        number = place.bundle_id or known.bundle_id
        bundle = self._bundles.get(number) if number is not None else None
        if bundle is None:
            return Broken(503, "Nothing was deployed here yet.", log_url)
        if known.locked:
            return Broken(403, known.locked_message, log_url, is_locked=True)
        if not bundle.is_unpacked:
            return self._unpacking(bundle, log_url)
        if bundle.serves_files:
            return self._file(bundle, place, log_url)
        if place.mount.endswith(f"/_rev{bundle.id}/"):
            return Broken(
                404, "Only of files is an earlier version shown. Deploy this bundle again to see it.", log_url
            )
        return self._to_worker(known, bundle, place, asked) or self._none_ready(known, bundle.id, log_url)

    def _to_worker(self, known: _Known, bundle: _Runnable, place: Place, asked: Asked) -> Target | None:
        """Nothing when no worker takes requests."""
        standing, terms = self._workers.get(bundle.id), known.terms
        if not standing.ready:
            return None
        is_new = asked.is_page_load or asked.is_websocket
        chosen = self._chooser.choose(standing.ready, terms, hint=asked.hint, is_new=is_new)
        if chosen is None:
            may_grow = bundle.id == known.bundle_id and standing.live < terms.max_processes
            is_growing = may_grow or standing.live > len(standing.ready)
            return Asleep(True, terms.init_timeout, standing.start) if is_growing else Busy()
        if asked.is_websocket:
            self._chooser.let_in(chosen.job_key, asked)
        inner = "/" if bundle.strips_prefix else place.mount
        return Worker(
            chosen.address, chosen.job_key, inner, _class_of(terms.timeout), bundle.id, known.acts_for_visitors
        )

    def _none_ready(self, known: _Known, bundle_id: int, log_url: str) -> Target:
        standing = self._workers.get(bundle_id)
        if standing.live == 0 and clock.now() < standing.until:
            return Broken(502, standing.reason, log_url)
        return Asleep(standing.is_starting, known.terms.init_timeout, standing.start)

    def wake(self, place: Place, principal: Principal) -> None:
        known = self._contents.get(place.subject.id)
        number = place.bundle_id or (known.bundle_id if known else None)
        if known is not None and number is not None:
            self._rouse(known.id, number, principal.id)

    def _unpacking(self, bundle: _Runnable, log_url: str) -> Target:
        """Clients read a version as soon as its deploy was asked for: they wait as long as that may still unpack it."""
        of_content = (Task.subject_kind == "content", Task.subject_id == bundle.content_id)
        under_way = select(Task.id).where(Task.kind == DEPLOY, Task.state.in_(UNDER_WAY), *of_content)
        with self._database.read() as tx:
            is_deploying = tx.scalar(under_way.where(Task.args["bundle_id"].as_integer() == bundle.id).limit(1))
        if is_deploying is not None:
            return Asleep(starting=True, timeout_s=UNPACKING_S)
        return Broken(404, f"Bundle {bundle.id} was not deployed.", log_url)

    def _file(self, bundle: _Runnable, place: Place, log_url: str) -> Target:
        """A regular file below the bundle's folder; a folder's index.html; the start page for the mount itself."""
        if bundle.root is None:
            return Broken(503, "Its files are not on this server. Deploy the bundle again.", log_url)
        path = bundle.root / (place.rest or bundle.start_page)
        if place.rest.endswith("/") and place.rest:
            path = path / "index.html"
        try:
            real, found = path.resolve(strict=True), path.stat()
        except (OSError, ValueError):
            return Broken(404, f"There is no file {place.rest[:200]} in it.", log_url)
        if not real.is_relative_to(bundle.root) or not real.is_file():
            return Broken(404, f"There is no file {place.rest[:200]} in it.", log_url)
        etag = f'"{bundle.digest[:12]}-{found.st_size:x}-{found.st_mtime_ns:x}"'
        return StaticFile(str(real), found.st_size, etag, _type_of(real), bundle_id=bundle.id)

    def _read_content(self, key: str | int) -> _Known | None:
        with self._database.read() as tx:
            column = Content.guid if isinstance(key, str) and "-" in key else Content.id
            row = tx.scalar(
                select(Content).where(
                    column == (key if column is Content.guid else int(key)), Content.deleted_at.is_(None)
                )
            )
            if row is None:
                return None
            owner = tx.get(User, row.owner_id)
            return _Known(
                id=row.id,
                guid=row.guid,
                stage_id=row.stage_id,
                title=row.title or row.name,
                owner_id=row.owner_id,
                owner=owner.display_name if owner else "",
                bundle_id=row.bundle_id,
                locked=row.locked,
                locked_message=row.locked_message,
                resource=resource_of(tx, row),
                terms=self._chooser.rules.terms(row),
                acts_for_visitors=acts_for_visitors(tx, row.id),
            )

    def _read_bundle(self, number: int) -> _Runnable | None:
        with self._database.read() as tx:
            bundle = tx.get(Bundle, number)
            content = tx.get(Content, bundle.content_id) if bundle else None
        if bundle is None or content is None or bundle.deleted_at is not None:
            return None
        if bundle.manifest is None:
            return _Runnable(bundle.id, content.id)
        try:
            manifest = parse_manifest(bundle.manifest)
            kind = kind_of(manifest)
        except PilothouseError:
            return None
        folder = self._folder(content, bundle)
        root = content_root(folder).resolve() if folder.is_dir() else None
        start = manifest.primary_html or "index.html"
        return _Runnable(bundle.id, content.id, bundle.digest, kind.serves_files, kind.strips_prefix, start, root, True)

    def _read_standing(self, bundle_id: int) -> _Standing:
        with self._database.read() as tx:
            return _standing(tx, bundle_id)


def _sources_of(known: _Known | None) -> tuple[tuple[str, int], ...]:
    return (("content", known.id), ("identity", known.owner_id)) if known else ()


def _names_of(known: _Known | None) -> tuple[Any, ...]:
    return (known.id, known.guid) if known else ()


def _type_of(path: Path) -> str:
    text = TEXT.get(path.suffix.lower())
    return f"text/{text}; charset=utf-8" if text else mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _class_of(seconds: float | None) -> Timeout:
    """The route class with the next longer timeout."""
    return next((t for limit, t in _CLASSES if seconds is not None and seconds <= limit), Timeout.NONE)


_CLASSES = ((60, Timeout.MINUTE), (300, Timeout.FIVE_MINUTES), (3600, Timeout.HOUR))


def _standing(tx: Tx, bundle_id: int) -> _Standing:
    live = select(WorkerRow, Job.key, Job.queued_at).outerjoin(Job, Job.id == WorkerRow.job_id).order_by(WorkerRow.slot)
    rows = tx.execute(live.where(WorkerRow.bundle_id == bundle_id, WorkerRow.state.in_(LIVE))).all()
    ready = [(w.address, key) for w, key, _ in rows if w.state == WorkerState.READY]
    starting = next(((w, began_at) for w, _, began_at in rows if w.state == WorkerState.STARTING), None)
    is_frozen = any(w.state == WorkerState.FROZEN for w, _, _ in rows)
    failed = failure(tx, bundle_id) if not rows else None
    found = _Standing(
        bundle_id,
        tuple(Ready(address, key) for address, key in ready if address and key),
        live=len(rows),
        is_starting=starting is not None and not is_frozen,
        start=_start(tx, *starting) if starting and not is_frozen else None,
    )
    return replace(found, reason=failed[0].reason, until=failed[1]) if failed else found


def _start(tx: Tx, worker: WorkerRow, began_at: datetime | None) -> Start:
    """The job's row is made when the start has its turn."""
    last = select(WorkerRow.ready_at, Job.queued_at).join(Job, Job.id == WorkerRow.job_id)
    went_well = (WorkerRow.content_id == worker.content_id, WorkerRow.ready_at.is_not(None))
    usual = tx.execute(last.where(*went_well).order_by(WorkerRow.id.desc()).limit(1)).first()
    ready_at, turn_at = usual or (None, None)
    return Start(worker.created_at, began_at, ready_at - turn_at if ready_at and turn_at else None)
