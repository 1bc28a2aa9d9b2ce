"""A control plane with something of everything, so that requests find what they ask for."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.factories.content import add_lock, make, site, upload
from tests.factories.control_plane import Asked, control_plane
from tests.factories.identity import add_key, add_user, principal
from tests.factories.oauth import Cli
from tests.factories.signing import Program

from pilothouse.base import clock
from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid
from pilothouse.connect_api.rows import Row
from pilothouse.content.models import Content
from pilothouse.db import Database
from pilothouse.gateway.models import UsageEvent
from pilothouse.identity.models import ApiKey
from pilothouse.integrations import service as integrations
from pilothouse.integrations.service import Tokens
from pilothouse.launcher.models import Job
from pilothouse.tasks.models import Task, TaskState

API = "/__api__"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
JOB = "abcd2345"
WAREHOUSE = {
    "name": "Warehouse", "template": "custom",
    "config": {"auth_type": "Service Account", "token_uri": "https://provider.example/token", "client_id": "us", "client_secret": "s"},
}  # fmt: skip


class Furnished:
    """What is there. ``owner`` owns the content and what belongs to it, ``boss`` the rest; ``reader`` may open it."""

    def __init__(self, server: Asked) -> None:
        self.server = server
        self.owner, self.owners = server.person("owner")
        self.boss, self.bosses = server.person("boss", Role.ADMINISTRATOR)
        self.reader, self.readers = server.person("reader", Role.VIEWER)
        self.other = add_user(server.database, "other", Role.VIEWER)
        self.clients: dict[str, TestClient] = {
            "anonymous": server.client(), "viewer": self.readers, "publisher": self.owners, "administrator": self.bosses,
        }  # fmt: skip
        self._people()
        self._content()
        self._around()
        self._use()
        self.cli = Cli(server, "owner")

    def _people(self) -> None:
        self.key = self._post(self.bosses, f"/v1/users/{self.boss.guid}/keys", {"name": "spare"})["id"]
        self.group = self._post(self.bosses, "/v1/groups", {"name": "circle"})
        self._post(self.bosses, f"/v1/groups/{self.group['guid']}/members", {"user_guid": self.reader.guid})
        self.check = self._post(self.bosses, "/v1/system/checks", {})["id"]
        with self.server.database.write() as tx:
            task = tx.query(Task).filter_by(key=self.check).one()
            task.state, task.ended_at = TaskState.DONE, clock.now()
            task.result = {"findings": [{"what": "machine", "state": "good", "finding": "It is there."}]}

    def _content(self) -> None:
        self.content = make(self.owners, "known", access_type="logged_in")
        self.path = path = f"/v1/content/{self.content['guid']}"
        add_lock(self.server, self.content["guid"], numpy="2.4.6")
        self.bundle = upload(self.owners, self.content["guid"])
        self.task = self._post(self.owners, f"{path}/deploy", {"bundle_id": self.bundle["id"]})["task_id"]
        self.owners.patch(f"{API}{path}/environment", json=[{"name": "A", "value": "b"}])
        grant = {"principal_guid": self.group["guid"], "principal_type": "group", "role": "viewer"}
        self.grant = self._post(self.owners, f"{path}/permissions", grant)
        self.owners.put(f"{API}{path}/vanity", json={"path": "known"})
        self.owners.put(f"{API}{path}/thumbnail", content=PNG)
        job = Job(
            key=JOB, tag="run_fastapi_app", subject_kind="content", subject_id=int(self.content["id"]), stage_id=1, node="here", pid=12
        )  # fmt: skip
        with self.server.database.write() as tx:
            tx.add(job)

    def _around(self) -> None:
        self.category = self._post(self.bosses, "/v1/tags", {"name": "Department"})
        self.tag, self.spare_tag = (
            self._post(self.bosses, "/v1/tags", {"name": name, "parent_id": self.category["id"]})
            for name in ("Quality", "Sales")
        )
        self._post(self.owners, f"{self.path}/tags", {"tag_id": self.tag["id"]})
        self.image = self._post(self.bosses, "/v1/environments", {"title": "Python", "name": "registry.example/python"})
        shared = {"user_guid": self.owner.guid}
        self.image_permission = self._post(self.bosses, f"/v1/environments/{self.image['guid']}/permissions", shared)
        self.integration = self._post(self.bosses, "/v1/oauth/integrations", WAREHOUSE)
        used = [{"oauth_integration_guid": self.integration["guid"]}]
        self.owners.put(f"{API}{self.path}/oauth/integrations/associations", json=used)
        house = self.server.plane.house
        with house.database.write() as tx:
            row = integrations.integration_of(tx, self.integration["guid"])
            actor = principal(house.database, self.owner)
            made = integrations.begin_delegation(tx, actor, row, tokens=Tokens("a", refresh="r"), secrets=house.secrets)
            self.session = made.guid

    def _use(self) -> None:
        with self.server.database.write() as tx:
            content = tx.query(Content).filter_by(guid=self.content["guid"]).one()
            for kind in ("visit", "hit", "socket"):
                tx.add(UsageEvent(
                    kind=kind, stream=new_guid(), subject_kind="content", subject_id=content.id, stage_id=content.stage_id,
                    started_at=NOON, path="/", user_agent="Tester", bundle_id=4, principal_id=self.reader.id,
                ))  # fmt: skip

    def _post(self, client: TestClient, path: str, body: Any) -> dict[str, Any]:
        answer = client.post(f"{API}{path}", json=body)
        assert answer.status_code < 300, (path, answer.text)
        found = answer.json()
        return dict(found) if isinstance(found, dict) else {}

    def expired_client(self) -> TestClient:
        """Who sends a key of the owner that has expired."""
        key = add_key(self.server.database, self.owner, name="old")
        with self.server.database.write() as tx:
            row = tx.query(ApiKey).filter_by(name="old").one()
            row.expires_at = NOON
        return self.server.client(key=key)

    def value(self, path: str, name: str) -> str:
        """What leads to something, for a parameter of this path."""
        whose = next((guid for start, guid in self._guids() if path.startswith(start)), self.content["guid"])
        ids = {
            "/v1/tags/{id}/content": self.tag["id"],
            "/v1/tags": self.spare_tag["id"],
            "/v1/system": self.check,
            "/tasks": self.task,
        }
        found = {
            "guid": whose, "bundle_id": self.bundle["id"], "grant_id": self.grant["id"], "key_id": self.key,
            "id": next((number for start, number in ids.items() if path.startswith(start)), self.content["id"]),
            "tag_id": self.tag["id"], "user_guid": self.reader.guid, "permission_guid": self.image_permission["guid"],
            "language": "python", "app_mode": "static",
            "key": {"/v1/tasks/{key}": self.task, "/v1/oauth/templates/{key}": "custom"}.get(path, JOB),
        }  # fmt: skip
        return str(found[name])

    def _guids(self) -> list[tuple[str, str]]:
        return [
            ("/v1/users/{guid}/keys", self.boss.guid), ("/v1/users", self.other.guid), ("/v1/groups", self.group["guid"]),
            ("/v1/experimental/groups", self.group["guid"]), ("/v1/environments", self.image["guid"]),
            ("/v1/oauth/integrations", self.integration["guid"]), ("/v1/oauth/sessions", self.session),
        ]  # fmt: skip

    def bodies(self) -> dict[str, Any]:
        """By row, what to send where the example of the document names nobody who is here."""
        somebody = {"principal_guid": self.other.guid, "principal_type": "user", "role": "viewer"}
        return {
            "POST /tokens": {"token": f"T{secrets.token_hex(16)}", "public_key": Program().public_key},
            "POST /v1/groups/{}/members": {"user_guid": self.other.guid},
            "POST /v1/content/{}/permissions": somebody,
            "POST /v1/content/{}/tags": {"tag_id": self.spare_tag["id"]},
            "POST /v1/environments/{}/permissions": {"user_guid": self.other.guid},
            "PUT /v1/content/{}/oauth/integrations/associations": [{"oauth_integration_guid": self.integration["guid"]}],
            "POST /v1/oauth/integrations": {**WAREHOUSE, "name": "Lake"},
            "POST /v1/users/{}/lock": {"locked": False},
            "POST /applications": {"name": "another-report"},
            "PATCH /v1/tags/{}": {"name": "Sales and more"},
            "DELETE /v1/system/caches/runtime": {"language": "Python", "version": "3.11.9", "dry_run": True},
        }  # fmt: skip


def body_of(furnished: Furnished, row: Row) -> dict[str, Any]:
    """What to give a client, so that it sends what the row takes."""
    assert row.takes is not None
    if row.takes.kind == "application/json":
        return {"json": furnished.bodies().get(row.name) or row.takes.schema.get("examples", [{}])[0]}
    return {"content": PNG if row.takes.kind == "image/*" else site()}


@contextmanager
def furnished_on(folder: Path, template: Path) -> Iterator[Furnished]:
    """One with a copy of this database; every library that a lock names is on its disk."""
    (folder / "db").mkdir(mode=0o700)
    file = folder / "db" / "pilothouse.sqlite"
    shutil.copy(template, file)
    server = control_plane(folder / "home", Database(f"sqlite:///{file}"))
    with pytest.MonkeyPatch.context() as patch:
        restorer = server.plane.house.engines.languages["python"].restorer
        patch.setattr(type(restorer), "find", lambda self, key: key)
        yield Furnished(server)
    server.database.close()
