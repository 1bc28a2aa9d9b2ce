"""What content leaves behind and nobody needs: old bundles, their folders, bytes and libraries, and folders of ended jobs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import Select, case, exists, func, select

from pilothouse.base import clock
from pilothouse.content.models import Bundle, Content, Worker
from pilothouse.content.service.workers import ALIVE
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.db import Database
from pilothouse.launcher.contract import FINAL
from pilothouse.launcher.models import Job
from pilothouse.storage import custody

GRACE = timedelta(hours=1)
PIN = "pin"
BATCH = 500


def sweep(engines: ContentEngines, *, bundles_kept: int, jobs_kept: timedelta) -> None:
    """Safe to repeat and to be killed in between: rows go first, what they named later."""
    _drop_old_bundles(engines.database, bundles_kept)
    for folder, content_id in _needless_folders(engines):
        custody.remove(folder, engines.uid_of(content_id), engines.custodian)
    for digest in _needless_blobs(engines):
        engines.blobs.delete(digest)
    needed = needed_libraries(engines)
    places = {language.restorer.libraries: language.restorer for language in engines.languages.values()}
    for restorer in places.values():
        restorer.tidy(needed)
    forget = getattr(engines.launcher, "forget", None)  # an ability beyond the contract
    if forget is None:
        return
    for key, status in engines.launcher.adopt().items():
        if status.state in FINAL and (status.ended_at is None or status.ended_at < clock.now() - jobs_kept):
            forget(key)


def _drop_old_bundles(database: Database, kept: int) -> None:
    """Mark all but the newest ``kept`` bundles of each content as deleted; never the active one, or one that runs.

    Those of a pin are versions of data: only people remove them. They are looked for without holding up who writes.
    """
    newest_first = func.row_number().over(partition_by=Bundle.content_id, order_by=Bundle.id.desc()).label("number")
    alive = select(Bundle.id, newest_first).join(Content, Content.id == Bundle.content_id)
    numbered = alive.where(Bundle.deleted_at.is_(None), Content.category != PIN).subquery()
    with database.read() as tx:
        old = tx.scalars(select(numbered.c.id).where(numbered.c.number > kept)).all()
    for first in range(0, len(old), BATCH):
        with database.write() as tx:
            for bundle in tx.scalars(_idle().where(Bundle.id.in_(old[first : first + BATCH]))):
                bundle.deleted_at = clock.now()


def _idle() -> Select[Bundle]:
    """Bundles that are neither active nor run."""
    is_active, runs = Content.bundle_id == Bundle.id, Worker.state.in_(ALIVE)
    idle = select(Bundle).join(Content, Content.id == Bundle.content_id)
    return idle.where(is_active.is_not(True), ~exists().where(Worker.bundle_id == Bundle.id, runs))


def _needless_folders(engines: ContentEngines) -> list[tuple[Path, int]]:
    """Folders of bundles that were deleted some time ago, and of deleted content, each with the content's number."""
    over = clock.now() - GRACE
    with engines.database.read() as tx:
        gone = select(Content, Bundle).join(Bundle, Bundle.content_id == Content.id)
        rows = tx.execute(gone.where((Bundle.deleted_at < over) | (Content.deleted_at < over))).all()
        return [
            (folder, content.id) for content, bundle in rows if (folder := engines.folder(content, bundle)).exists()
        ]


def _needless_blobs(engines: ContentEngines) -> list[str]:
    """Digests that only deleted bundles name. The grace lets a bundle that is being added with the same bytes arrive.

    Added up in one pass: PostgreSQL compares each row with each other for a ``NOT IN`` over so many.
    """
    over = clock.now() - GRACE
    alive = Bundle.deleted_at.is_(None) & Content.deleted_at.is_(None)
    is_needed = alive | (Bundle.deleted_at >= over) | (Content.deleted_at >= over)
    with engines.database.read() as tx:
        named = select(Bundle.digest).join(Content, Content.id == Bundle.content_id).group_by(Bundle.digest)
        dropped = named.having(func.max(case((is_needed, 1), else_=0)) == 0)
        return [digest for digest in tx.scalars(dropped) if engines.blobs.exists(digest)]


def needed_libraries(engines: ContentEngines) -> set[str]:
    """Libraries of bundles that are not deleted, and those that something mounts which has not ended yet.

    A deploy that restores one meanwhile is not among them; the restorer leaves alone what was just restored.
    """
    kept = Bundle.deleted_at.is_(None) & Content.deleted_at.is_(None)
    working = select(Worker.bundle_id).where(Worker.state.in_(ALIVE))
    running = select(Job.bundle_id).where(Job.ended_at.is_(None), Job.bundle_id.is_not(None))
    named = select(Bundle.library_key).join(Content, Content.id == Bundle.content_id)
    with engines.database.read() as tx:
        keys = tx.scalars(named.where(kept | Bundle.id.in_(working) | Bundle.id.in_(running)).distinct())
        return {key for key in keys if key}
