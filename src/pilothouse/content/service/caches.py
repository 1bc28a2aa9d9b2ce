"""What is kept of packages, by language and version; and clearing what nobody needs of it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import NotFound
from pilothouse.content.models import Lock
from pilothouse.db import Tx
from pilothouse.tasks import enqueue
from pilothouse.tasks.models import Task

CLEAR = "content.clear_cache"
#: Whether a library of this language and key is on disk.
IsThere = Callable[[str, str], bool]


class CacheUnknown(NotFound):
    """There are no packages of this language and version."""

    code = "content/cache-unknown"


def list_caches(tx: Tx, actor: Principal, is_there: IsThere) -> list[tuple[str, str]]:
    """Languages and versions for which packages are on disk."""
    require(actor, Permission.CACHE_CLEAR)
    rows = tx.execute(select(Lock.language, Lock.runtime_version, Lock.library_key).distinct())
    found = {(language, version) for language, version, key in rows if is_there(language, key)}
    return sorted(found)


def clear_cache(tx: Tx, actor: Principal, *, language: str, version: str) -> Task:
    """Remove the packages of one language and version that no bundle needs, in the background."""
    require(actor, Permission.CACHE_CLEAR)
    record(tx, actor, "content:cache:cleared", None, after={"language": language, "version": version})
    return enqueue(tx, CLEAR, {"language": language, "version": version}, queue="system", actor_id=actor.id)
