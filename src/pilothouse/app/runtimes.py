"""``pilothouse runtime …``: the interpreters of an installation, and which content needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select

from pilothouse.app.house import House
from pilothouse.app.owner import has_users
from pilothouse.audit.service import record
from pilothouse.base.access import SYSTEM
from pilothouse.base.errors import Conflict
from pilothouse.content.models import VERSION_COLUMNS, Bundle, Content, Worker
from pilothouse.content.service.deployments import DEPLOY
from pilothouse.content.service.workers import ALIVE
from pilothouse.db import Tx
from pilothouse.runtimes.contract import Log
from pilothouse.runtimes.managed import ManagedPythons
from pilothouse.tasks.models import Task
from pilothouse.tasks.queue import IS_RUNNING

NAMED = 5


class RuntimeInUse(Conflict):
    """Content needs this version. Deploy it again with another one, or delete it; then repeat the removal."""

    code = "app/runtime-in-use"


def list_runtimes(house: House) -> list[dict[str, Any]]:
    """Every interpreter that content may use, newest first, with the number of content that needs its version."""
    own = {path.resolve() for path in _managed(house).installed().values()}
    with house.database.read() as tx:
        return [
            {
                "language": found.kind,
                "version": found.version,
                "added": found.path in own,
                "used_by": len({content.id for content, _ in _needing(tx, found.kind, found.version)}),
                "path": str(found.path),
            }
            for found in house.runtimes()
        ]


def add_runtime(house: House, version: str, log: Log) -> dict[str, Any]:
    """Install a Python; a running server offers it from the next deploy on. Raises what `ManagedPythons.add` raises."""
    managed = _managed(house)
    before = set(managed.installed())
    full = managed.add(version, log, for_all=has_users(house.loaded.home))
    if full not in before:
        with house.database.write() as tx:
            record(tx, SYSTEM, "runtimes:runtime:added", None, after={"language": "python", "version": full})
    return {"language": "python", "version": full, "added": full not in before, "path": str(managed.installed()[full])}


def remove_runtime(house: House, version: str) -> dict[str, Any]:
    """Remove a Python that was added. Raises `RuntimeInUse` and `RuntimeNotManaged`; then nothing changed."""
    managed = _managed(house)
    home = managed.home_of(version)
    with house.database.read() as tx:
        needing = _needing(tx, "python", version)
    users = {content.id: content for content, bundle in needing if _is_on(house, bundle, home)}
    if users:
        raise RuntimeInUse(
            f"Python {version} is needed by {_named(list(users.values()))}. "
            "Deploy with another version, or delete it; then repeat the removal."
        )
    with managed.set_aside(version), house.database.write() as tx:
        record(tx, SYSTEM, "runtimes:runtime:removed", None, before={"language": "python", "version": version})
    return {"language": "python", "version": version, "removed": True}


def _managed(house: House) -> ManagedPythons:
    return ManagedPythons.from_settings(house.loaded.home, house.loaded.settings.runtimes)


def _needing(tx: Tx, language: str, version: str) -> list[tuple[Content, Bundle]]:
    """Content with a bundle on this version that is active, still runs in a worker, or is being deployed."""
    runs = select(Worker.bundle_id).where(Worker.state.in_(ALIVE))
    deploys = select(Task.args["bundle_id"].as_integer()).where(IS_RUNNING, Task.kind == DEPLOY)
    query = (
        select(Content, Bundle)
        .join(Bundle, Bundle.content_id == Content.id)
        .where(Content.deleted_at.is_(None), getattr(Bundle, VERSION_COLUMNS[language]) == version)
        .where(or_(Bundle.id == Content.bundle_id, Bundle.id.in_(runs), Bundle.id.in_(deploys)))
        .order_by(Content.id)
    )
    return list(tx.execute(query).tuples())


def _is_on(house: House, bundle: Bundle, home: Path) -> bool:
    """Whether the bundle's library was made for the Python at ``home``, not for another copy of the same version."""
    restorer = house.engines.languages["python"].restorer
    library = restorer.find(bundle.library_key) if bundle.library_key else None
    return library is None or home.resolve() in {Path(source).resolve() for source, _ in library.mounts}


def _named(users: Sequence[Content]) -> str:
    more = f" and {len(users) - NAMED} more" if len(users) > NAMED else ""
    return ", ".join(f"“{c.title or c.name}” ({c.guid})" for c in users[:NAMED]) + more
