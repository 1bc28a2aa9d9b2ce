"""Which packages content runs with: those in the locks of active bundles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from pilothouse.base.access import Permission, Principal, Share, require
from pilothouse.content.models import Bundle, Content, Lock
from pilothouse.content.service.content import visible
from pilothouse.content.service.sharing import resource_of
from pilothouse.db import Tx
from pilothouse.stages import StageRef

#: Languages whose packages are listed; the lock of a Node.js app holds the same name several times.
LANGUAGES = ("python", "r")


@dataclass(frozen=True)
class UsedPackage:
    """One package of one content's active bundle. ``hash`` is that of an R package's description; Python's have none."""

    content_id: int
    content_guid: str
    bundle_id: int
    language: str
    language_version: str
    name: str
    version: str
    hash: str | None = None


def packages_used(tx: Tx, actor: Principal, content: Content) -> list[UsedPackage]:
    """By name; empty where nothing was deployed yet, or nothing is needed."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    return list(_packages(tx, select(Content).where(Content.id == content.id)))


def all_packages_used(
    tx: Tx, actor: Principal, stage: StageRef, *, name: str = "", limit: int, offset: int = 0
) -> tuple[Sequence[UsedPackage], int]:
    """Of all content in this stage that ``actor`` may change, and how many there are; content by content, by name."""
    found: list[UsedPackage] = []
    total = 0
    for package in _packages(tx, visible(actor, stage, Share.EDITOR)):
        if name and package.name.lower() != name.lower():
            continue
        if offset <= total < offset + limit:
            found.append(package)
        total += 1
    return found, total


def _packages(tx: Tx, contents: Select[Any]) -> Iterator[UsedPackage]:
    facts = (Content.id, Content.guid, Bundle.id, Bundle.library_key)
    active = contents.join(Bundle, Bundle.id == Content.bundle_id).where(Bundle.library_key.is_not(None))
    keys = active.with_only_columns(Bundle.library_key)
    newest = select(func.max(Lock.id)).where(Lock.library_key.in_(keys)).group_by(Lock.library_key)
    locks = {
        lock.library_key: (lock.language, lock.runtime_version, [(a["name"], a["version"]) for a in lock.document["artifacts"]])
        for lock in tx.scalars(select(Lock).where(Lock.id.in_(newest), Lock.language.in_(LANGUAGES)))
    }  # fmt: skip
    for content_id, guid, bundle_id, key in tx.execute(active.with_only_columns(*facts).order_by(Content.id)):
        language, version, packages = locks.get(key or "", ("", "", []))
        for package, its_version in packages:
            yield UsedPackage(content_id, guid, bundle_id, language, version, package, its_version)
