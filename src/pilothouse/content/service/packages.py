"""Which packages content runs with: those in the locks of active bundles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    active = _active(visible(actor, stage, Share.EDITOR))
    locks = _locks(tx, active, name)
    counts = tx.execute(active.with_only_columns(Bundle.library_key, func.count()).group_by(Bundle.library_key))
    total = sum(count * len(locks[key].packages) for key, count in counts if key in locks)
    found: list[UsedPackage] = []
    for content_id, guid, bundle_id, key in tx.execute(active.with_only_columns(*_FACTS).order_by(Content.id)):
        if len(found) == limit:
            break
        used = len(locks[key].packages) if key in locks else 0
        if offset < used:
            found += _used(locks[key], content_id, guid, bundle_id)[offset : offset + limit - len(found)]
        offset = max(offset - used, 0)
    return found, total


_FACTS = (Content.id, Content.guid, Bundle.id, Bundle.library_key)


@dataclass(frozen=True)
class _Locked:
    """What one lock holds: names with versions, for one build of a language."""

    language: str
    version: str
    packages: Sequence[tuple[str, str]]


def _packages(tx: Tx, contents: Select[Any]) -> Iterator[UsedPackage]:
    active = _active(contents)
    locks = _locks(tx, active)
    for content_id, guid, bundle_id, key in tx.execute(active.with_only_columns(*_FACTS).order_by(Content.id)):
        if key in locks:
            yield from _used(locks[key], content_id, guid, bundle_id)


def _active(contents: Select[Any]) -> Select[Any]:
    return contents.join(Bundle, Bundle.id == Content.bundle_id).where(Bundle.library_key.is_not(None))


def _locks(tx: Tx, active: Select[Any], name: str = "") -> Mapping[str | None, _Locked]:
    """By the key of the library that was made from each; many items share one. Only packages of this ``name``, if there is one."""
    keys = active.with_only_columns(Bundle.library_key)
    newest = select(func.max(Lock.id)).where(Lock.library_key.in_(keys)).group_by(Lock.library_key)
    rows = tx.scalars(select(Lock).where(Lock.id.in_(newest), Lock.language.in_(LANGUAGES)))
    return {lock.library_key: _Locked(lock.language, lock.runtime_version, _named(lock, name)) for lock in rows}


def _named(lock: Lock, name: str) -> list[tuple[str, str]]:
    artifacts = lock.document["artifacts"]
    return [(a["name"], a["version"]) for a in artifacts if not name or a["name"].lower() == name.lower()]


def _used(lock: _Locked, content_id: int, guid: str, bundle_id: int) -> list[UsedPackage]:
    return [
        UsedPackage(content_id, guid, bundle_id, lock.language, lock.version, package, version)
        for package, version in lock.packages
    ]
