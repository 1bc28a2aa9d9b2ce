"""For commands of the owner on the server's own machine: our API without a network, as the system principal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from pilothouse.app.dashboard import dashboard
from pilothouse.app.house import House, build
from pilothouse.app.owner import acting_for
from pilothouse.app.rotation import rotate, rotate_grants
from pilothouse.audit.contract import heads_in
from pilothouse.audit.service import verify
from pilothouse.base.access import SYSTEM
from pilothouse.base.errors import NotFound
from pilothouse.db import Database
from pilothouse.db.schema import check, migrate
from pilothouse.launcher.contract import FINAL
from pilothouse.settings import Loaded, load
from pilothouse.stages import sync


class NoInstallation(NotFound):
    """There is no installation in this folder. Start one with `pilothouse serve --home DIR`, or name another folder."""

    code = "app/no-installation"


class HeadsMissing(NotFound):
    """There is no such file of heads. Name a copy of the audit heads that was kept elsewhere."""

    code = "app/heads-missing"


@contextmanager
def local_api(home: Path, *, file: Path | None = None) -> Iterator[Any]:
    """The ASGI application of ``/api/v1``; every request is the system's. Works beside a running server and without one."""
    with existing_house(load(home, file=file)) as house:
        with house.database.write() as tx:
            sync(tx, house.loaded.settings.stages)
        inner, stage = dashboard(house), house.stages.all()[0]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            state = dict(scope.get("state") or {}, principal=SYSTEM, stage=stage, client="", xsrf="")
            await inner({**scope, "state": state}, receive, send)

        yield app


def verify_audit(loaded: Loaded, *, heads: Path | None = None) -> dict[str, Any]:
    """Seal what is waiting, then check the whole trail against the installation's own heads.

    With ``heads``, a copy of them that was kept elsewhere or the file of a log collector, that file alone is believed and
    nothing is written, so that what somebody did to the installation's own file hides nothing. Raises `HeadsMissing`.
    """
    if heads is not None and not heads.is_file():
        raise HeadsMissing(f"There is no file {heads}. Name a copy of the audit heads that was kept elsewhere.")
    kept = heads_in(heads.read_text(errors="replace").splitlines()) if heads is not None else None
    with existing_house(loaded) as house:
        if heads is None:
            house.sealer.run()
            kept = house.sealer.heads()
        report = verify(house.database, house.audit_key, kept)
    return {
        "intact": report.is_intact,
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "heads": len(kept or ()),
        "problems": list(report.problems),
    }


@contextmanager
def existing_house(loaded: Loaded) -> Iterator[House]:
    """The engines of an installation that was started before, for one command, which root gives as the home's owner.

    Raises `NoInstallation`, `OwnerCannotRead`.
    """
    with acting_for(loaded.home):
        house = _existing(loaded)
        try:
            yield house
        finally:
            house.database.close()


def bring_up_to_date(loaded: Loaded) -> list[str]:
    """The migrations that were applied to the database."""
    with acting_for(loaded.home):
        return migrate(Database(loaded.db_url))


def rotate_secrets(loaded: Loaded) -> dict[str, Any]:
    """See `rotation.rotate`."""
    with existing_house(loaded) as house:
        return rotate(house)


def rotate_grant_keys(loaded: Loaded) -> dict[str, Any]:
    """See `rotation.rotate_grants`."""
    with existing_house(loaded) as house:
        return rotate_grants(house)


def stop_all_jobs(house: House, *, patience_s: float = 15.0) -> None:
    """Cancel every running job and wait until they ended."""
    running = [key for key, status in house.launcher.adopt().items() if status.state not in FINAL]
    for key in running:
        house.launcher.cancel(key)
    deadline = time.monotonic() + patience_s
    while running and time.monotonic() < deadline:
        running = [key for key in running if house.launcher.status(key).state not in FINAL]
        time.sleep(0.05)
    unguard = getattr(house.launcher, "unguard", None)  # an ability beyond the contract
    if unguard is not None:
        unguard()


def _existing(loaded: Loaded) -> House:
    """The house of an installation that was started before. Raises `NoInstallation`, and what a wrong schema raises."""
    database = make_url(loaded.db_url)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").exists():
        raise NoInstallation(
            f"There is no installation in {loaded.home}. Start one with `pilothouse serve --home {loaded.home}`."
        )
    house = build(loaded)
    check(house.database)
    return house
