"""The control plane as it is composed for real, without gateway and without its threads: what a test of an endpoint asks.

Jobs and files are real as far as a test asks for them; nothing is started until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from tests.factories.identity import add_key, add_user, sign_in

from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.house import build
from pilothouse.asgi import xsrf
from pilothouse.base.access import Role
from pilothouse.db import Database
from pilothouse.gateway import headers
from pilothouse.gateway.serving import door_secret
from pilothouse.identity.models import User
from pilothouse.settings import load
from pilothouse.stages import sync

BASE = "http://localhost:3939"


@dataclass
class Asked:
    """A control plane that answers requests. Make one with `control_plane`."""

    plane: ControlPlane
    home: Path

    @property
    def database(self) -> Database:
        return self.plane.house.database

    def person(
        self, username: str = "amara.okoye", role: Role = Role.PUBLISHER, **facts: Any
    ) -> tuple[User, TestClient]:
        """A new person, and a client that sends an API key of theirs."""
        user = add_user(self.database, username, role, **facts)
        return user, self.client(key=add_key(self.database, user))

    def notice(self) -> None:
        """Learn at once what changed, as a `Listener` does on PostgreSQL; without one it takes up to a second."""
        self.plane.house.watch.wake()

    def browser(self, username: str) -> TestClient:
        """A client with a login of this person's and the token that our pages send with every change."""
        house, found = self.plane.house, sign_in(self.database, username)
        made = self.client(**{xsrf.HEADER: xsrf.token(house.xsrf_key, found.login.id)})
        made.cookies.set(house.resolver.cookie, found.cookie)
        return made

    @contextmanager
    def working(self) -> Iterator[None]:
        """Its queue runs for the length of the block."""
        self.plane.queue.start()
        try:
            yield
        finally:
            self.plane.queue.stop()

    def client(self, *, key: str | None = None, **sent: str) -> TestClient:
        """A client without cookies; ``sent`` are further headers."""
        fields = {headers.SECRET: door_secret(self.home / "keys"), **sent}
        if key:
            fields["authorization"] = f"Key {key}"
        return TestClient(self.plane.front, base_url=BASE, headers=fields, raise_server_exceptions=False)


def control_plane(
    home: Path, database: Database, *, issuers: Sequence[dict[str, Any]] = (), **sections: dict[str, Any]
) -> Asked:
    """One with this home and database, which is closed by whoever made it; ``sections`` are settings, by room."""
    flags = {"db.url": database.url.render_as_string(hide_password=False), "launcher.backend": "memory"}
    flags |= {f"{room}.{name}": value for room, options in sections.items() for name, value in options.items()}
    flags |= {"trusted_issuers": list(issuers)} if issuers else {}
    loaded = load(home, variables={}, flags=flags)
    house = build(loaded)
    with house.database.write() as tx:
        sync(tx, loaded.settings.stages)
    return Asked(ControlPlane(house), home)
