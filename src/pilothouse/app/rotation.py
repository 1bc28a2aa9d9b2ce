"""``pilothouse secrets rotate`` and ``rotate-grants``: which rows hold sealed values, and sealing them again; a new key for grants."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from pilothouse.app.house import House
from pilothouse.app.owner import as_started
from pilothouse.app.serving import grant_plan
from pilothouse.audit.service import record
from pilothouse.base.access import SYSTEM
from pilothouse.base.errors import Denied
from pilothouse.content.models import Variable
from pilothouse.content.service.variables import place_of
from pilothouse.db import Row
from pilothouse.db.rotation import add_key, drop_keys, renew, rotating
from pilothouse.db.secrets import Place, key_id, load_keys
from pilothouse.gateway.serving import change_grant_keys
from pilothouse.integrations import service as integrations
from pilothouse.integrations.models import Delegation, Integration

#: Every table with a column ``sealed``, and where a row's value is sealed to.
SEALED: dict[type[Row], Callable[[Any], Place]] = {
    Variable: lambda row: place_of(row.content_id, row.name),
    Integration: integrations.place_of,
    Delegation: integrations.place_of,
}
BATCH = 100


class NotTheGatewaysUser(Denied):
    """Only who starts the server may change what the gateway goes by. Run the command as root."""

    code = "app/not-the-gateways-user"


def rotate(house: House) -> dict[str, Any]:
    """Make a new key, seal all stored secrets with it, drop keys that nothing needs any more; servers may run meanwhile.

    Returns how many values were sealed again and which keys went or stay. Raises `SecretUnreadable`; then nothing was lost
    and it may be repeated.
    """
    path = house.loaded.home / "keys" / "secrets.json"
    with rotating(path):
        kid = add_key(path)
        count = sum(_reseal(house, table) for table in SEALED)
        gone, left = drop_keys(path, in_use=lambda: _in_use(house))
        with house.database.write() as tx:
            record(tx, SYSTEM, "db:secrets:rotated", None, after={"sealed": count, "key_id": kid, "dropped": gone})
    return {"sealed": count, "key": kid, "dropped": gone, "kept": left}


def rotate_grants(house: House) -> dict[str, Any]:
    """Sign grants with a new key from now on, and let the gateway take grants by it and by the one before.

    Until the gateway has taken it over, within seconds, it asks the door for every request; none fails.
    """
    path, run = house.loaded.home / "keys" / "grants.json", house.loaded.home / "run"
    with as_started():
        if not os.access(run, os.W_OK, effective_ids=True):
            raise NotTheGatewaysUser
    load_keys(path)
    with rotating(path):
        kid = renew(path)
        plan = grant_plan(house.loaded)
        with as_started():  # the gateway's plan is root's, where root started it
            runs = change_grant_keys(run, plan)
        with house.database.write() as tx:
            record(tx, SYSTEM, "gateway:grants:rotated", None, after={"key_id": kid})
    return {"key": kid, "gateway": "takes it over" if runs else "does not run"}


def _reseal(house: House, table: type[Any]) -> int:
    count, last = 0, 0
    while True:
        with house.database.write() as tx:
            batch = select(table).where(table.id > last).order_by(table.id).limit(BATCH).with_for_update()
            rows = tx.scalars(batch).all()
            for row in rows:
                if not house.secrets.is_current(row.sealed):
                    place = SEALED[table](row)
                    row.sealed = house.secrets.seal(place, house.secrets.open(place, row.sealed))
                    count += 1
        if not rows:
            return count
        last = rows[-1].id


def _in_use(house: House) -> set[str]:
    with house.database.read() as tx:
        return {key_id(sealed) for table in SEALED for sealed in tx.scalars(select(table.sealed))}  # type: ignore[attr-defined]
