"""What content leaves behind and nobody needs: old bundles, their folders, bytes and libraries, and folders of ended jobs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from pilothouse.base import clock
from pilothouse.content.models import Bundle, Content, Worker
from pilothouse.content.service.workers import ALIVE
from pilothouse.content.tasks.engines import ContentEngines
from pilothouse.db import Tx
from pilothouse.launcher.contract import FINAL
from pilothouse.launcher.models import Job
from pilothouse.storage import custody

GRACE = timedelta(hours=1)
PIN = "pin"


def sweep(engines: ContentEngines, *, bundles_kept: int, jobs_kept: timedelta) -> None:
    """Safe to repeat and to be killed in between: rows go first, what they named later."""
    with engines.database.write() as tx:
        _drop_old_bundles(tx, bundles_kept)
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


def _drop_old_bundles(tx: Tx, kept: int) -> None:
    """Mark all but the newest ``kept`` bundles of each content as deleted; never the active one, or one that runs.

    Those of a pin are versions of data: only people remove them.
    """
    newest_first = func.row_number().over(partition_by=Bundle.content_id, order_by=Bundle.id.desc())
    number = newest_first.label("number")
    pins = select(Content.id).where(Content.category == PIN)
    kinds = (Bundle.deleted_at.is_(None), Bundle.content_id.not_in(pins))
    numbered = select(Bundle.id, number).where(*kinds).subquery()
    active = select(Content.bundle_id).where(Content.bundle_id.is_not(None))
    running = select(Worker.bundle_id).where(Worker.state.in_(ALIVE))
    old = select(numbered.c.id).where(numbered.c.number > kept)
    for bundle in tx.scalars(
        select(Bundle).where(Bundle.id.in_(old), Bundle.id.not_in(active), Bundle.id.not_in(running))
    ):
        bundle.deleted_at = clock.now()


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
    """Digests that only deleted bundles name. The grace lets a bundle that is being added with the same bytes arrive."""
    over = clock.now() - GRACE
    with engines.database.read() as tx:
        needed = select(Bundle.digest).join(Content, Content.id == Bundle.content_id)
        needed = needed.where(
            (Bundle.deleted_at.is_(None) & Content.deleted_at.is_(None))
            | (Bundle.deleted_at >= over)
            | (Content.deleted_at >= over)
        )
        dropped = select(Bundle.digest).where(Bundle.digest.not_in(needed)).distinct()
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
