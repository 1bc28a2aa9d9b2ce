"""Verbs on bundles: numbered uploads whose bytes are blobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.errors import Invalid
from pilothouse.content.contract import BundleActive, BundleUnknown, ContentLocked
from pilothouse.content.models import Bundle, Content, Lock
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.workers import drain_bundle
from pilothouse.db import Tx
from pilothouse.storage.contract import Blob


class BundleEmpty(Invalid):
    """The upload holds no bytes. Send a tar.gz archive."""

    code = "content/bundle-empty"


def add_bundle(
    tx: Tx, actor: Principal, content: Content, *, blob: Blob, source: Mapping[str, Any] | None = None
) -> Bundle:
    """A new bundle of an uploaded blob. The same bytes twice are two bundles and one blob. Raises `BundleEmpty`, `ContentLocked`."""
    require(actor, Permission.CONTENT_DEPLOY, resource_of(tx, content))
    refuse_if_locked(content)
    if blob.size_bytes == 0:
        raise BundleEmpty
    bundle = Bundle(
        content_id=content.id,
        digest=blob.digest,
        size_bytes=blob.size_bytes,
        archive_md5=blob.md5,
        archive_sha1=blob.sha1,
        created_by_id=actor.id,
        source=dict(source) if source else None,
    )
    tx.add(bundle)
    tx.flush()
    after = {"digest": blob.digest, "size_bytes": blob.size_bytes, "content_id": content.id}
    record(tx, actor, "content:bundle:added", ResourceRef("bundle", bundle.id), stage_id=content.stage_id, after=after)
    return bundle


def bundles(tx: Tx, actor: Principal, content: Content) -> list[Bundle]:
    """All bundles, newest first."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    mine = (Bundle.content_id == content.id, Bundle.deleted_at.is_(None))
    return list(tx.scalars(select(Bundle).where(*mine).order_by(Bundle.id.desc())))


def get_bundle(tx: Tx, actor: Principal, content: Content, number: int | None) -> Bundle:
    """The bundle of this id, or the newest one for ``None``. Raises `BundleUnknown`."""
    require(actor, Permission.CONTENT_VIEW, resource_of(tx, content))
    if number is None:
        mine = (Bundle.content_id == content.id, Bundle.deleted_at.is_(None))
        newest = tx.scalar(select(Bundle).where(*mine).order_by(Bundle.id.desc()).limit(1))
        if newest is None:
            raise BundleUnknown("This content has no bundle yet. Upload one first.")
        return newest
    bundle = tx.get(Bundle, number)
    if bundle is None or bundle.content_id != content.id or bundle.deleted_at is not None:
        raise BundleUnknown(f"This content has no bundle {number}.")
    return bundle


def packages_of(tx: Tx, actor: Principal, content: Content, bundle: Bundle) -> dict[str, str] | None:
    """Versions of the packages a bundle runs with, by name; ``None`` before it was built, empty where it needs none."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    if bundle.library_key is None:
        needs_some = bundle.manifest is None or bundle.py_version or bundle.node_version or bundle.r_version
        return None if needs_some else {}
    newest = select(Lock).where(Lock.library_key == bundle.library_key).order_by(Lock.id.desc()).limit(1)
    lock = tx.scalar(newest)
    return {a["name"]: a["version"] for a in lock.document["artifacts"]} if lock is not None else None


def delete_bundle(tx: Tx, actor: Principal, content: Content, bundle: Bundle) -> None:
    """Remove a bundle that is not the active one; its bytes go when no bundle needs them. Raises `BundleActive`."""
    require(actor, Permission.CONTENT_DEPLOY, resource_of(tx, content))
    if content.bundle_id == bundle.id:
        raise BundleActive
    bundle.deleted_at = clock.now()
    drain_bundle(tx, bundle.id, at_once=True)
    before = {"digest": bundle.digest, "content_id": content.id}
    record(
        tx, actor, "content:bundle:deleted", ResourceRef("bundle", bundle.id), stage_id=content.stage_id, before=before
    )


def refuse_if_locked(content: Content) -> None:
    """Raise `ContentLocked` with the owner's words."""
    if content.locked:
        raise ContentLocked(
            f"This content is locked. {content.locked_message or 'Ask its owner to unlock it.'}".strip()
        )
