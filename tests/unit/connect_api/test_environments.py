"""What the wire calls environments: stored, listed, shared, chosen."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.factories.control_plane import Asked

from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid

API = "/__api__/v1"
IMAGES = f"{API}/environments"
SENT = {
    "title": "R and Python", "description": "For reports", "cluster_name": "Kubernetes", "name": "ghcr.io/example/r-py:1",
    "matching": "exact", "supervisor": "/usr/bin/with", "environment_type": "Kubernetes",
    "python": {"installations": [{"path": "/opt/python/3.12/bin/python", "version": "3.12.4"}]}, "r": None,
    "volume_mounts": [{"source": {"volume_type": "nfs", "nfs_host": "nas", "nfs_export_path": "/data"}, "target": {"path": "/data", "read_only": True}}],
}  # fmt: skip
KEYS = {"id", "guid", "created_time", "updated_time", "title", "description", "cluster_name", "name", "environment_type", "matching",
        "supervisor", "managed_by", "python", "quarto", "r", "tensorflow", "nodejs", "volume_mounts"}  # fmt: skip


@pytest.fixture
def boss(server: Asked) -> TestClient:
    return server.person("boss", Role.ADMINISTRATOR)[1]


def test_an_environment_is_made_changed_and_deleted(boss: TestClient) -> None:
    made = boss.post(IMAGES, json=SENT | {"unknown": 1}).json()
    assert set(made) == KEYS and {name: made[name] for name in SENT if name != "volume_mounts"} == {
        n: v for n, v in SENT.items() if n != "volume_mounts"
    }
    assert (
        made["volume_mounts"][0]["source"]["pvc_name"] is None
        and made["volume_mounts"][0]["target"]["read_only"] is True
    )
    path = f"{IMAGES}/{made['guid']}"
    assert boss.get(path).json() == made and boss.get(IMAGES).json() == [made]
    changed = boss.put(path, json={"title": "Both", "python": None}).json()
    assert (changed["title"], changed["python"], changed["name"], changed["matching"]) == (
        "Both",
        None,
        SENT["name"],
        "exact",
    )
    assert boss.post(IMAGES, json=SENT).status_code == 409
    assert boss.delete(path).content == b"" and boss.get(path).json()["code"] == 4


@pytest.mark.parametrize(
    "change",
    [{"title": ""}, {"title": 3}, {"name": None}, {"name": "x" * 2000}, {"matching": "some"}, {"matching": []}, {"python": []},
     {"python": {"installations": "x"}}, {"python": {"installations": [1]}}, {"python": {"installations": [{"path": 1}]}},
     {"volume_mounts": {}}, {"volume_mounts": [{}]}, {"volume_mounts": [{"source": {"nfs_host": 1}, "target": {}}]},
     {"volume_mounts": [{}] * 200}, {"description": "\x00"}],
)  # fmt: skip
def test_environments_that_can_not_be_are_refused(boss: TestClient, change: dict[str, Any]) -> None:
    assert boss.post(IMAGES, json=SENT | change).status_code == 400
    assert boss.get(IMAGES).json() == []


def test_an_environment_is_for_everybody_until_it_is_shared_with_somebody(server: Asked, boss: TestClient) -> None:
    amara, client = server.person("amara")
    zoe, viewer = server.person("zoe")
    guid = boss.post(IMAGES, json=SENT).json()["guid"]
    path = f"{IMAGES}/{guid}/permissions"
    assert len(viewer.get(IMAGES).json()) == 1
    line = boss.post(path, json={"user_guid": amara.guid}).json()
    assert (line["environment_guid"], line["user_guid"], line["group_guid"]) == (guid, amara.guid, None)
    assert (
        len(client.get(IMAGES).json()) == 1
        and viewer.get(IMAGES).json() == []
        and viewer.get(f"{IMAGES}/{guid}").json()["code"] == 4
    )
    group = boss.post(f"{API}/groups", json={"name": "Lab"}).json()["guid"]
    boss.post(f"{API}/groups/{group}/members", json={"user_guid": zoe.guid})
    boss.post(path, json={"group_guid": group})
    server.notice()
    assert len(viewer.get(IMAGES).json()) == 1
    assert [entry["group_guid"] for entry in boss.get(path).json()] == [None, group]
    assert boss.post(path, json={"user_guid": amara.guid}).status_code == 409
    assert (
        boss.delete(f"{path}/{line['guid']}").content == b""
        and boss.delete(f"{path}/{line['guid']}").json()["code"] == 4
    )
    assert client.get(IMAGES).json() == []
    for bad in ({}, {"user_guid": amara.guid, "group_guid": group}, {"user_guid": 1}):
        assert boss.post(path, json=bad).status_code == 400
    assert boss.post(path, json={"user_guid": new_guid()}).json()["code"] == 4
    assert boss.delete(f"{path}/x").json()["code"] == 3


def test_only_administrators_change_environments(server: Asked, boss: TestClient) -> None:
    _, client = server.person("amara")
    guid = boss.post(IMAGES, json=SENT).json()["guid"]
    calls = [("POST", IMAGES), ("PUT", f"{IMAGES}/{guid}"), ("DELETE", f"{IMAGES}/{guid}"), ("GET", f"{IMAGES}/{guid}/permissions"),
             ("POST", f"{IMAGES}/{guid}/permissions"), ("DELETE", f"{IMAGES}/{guid}/permissions/{new_guid()}")]  # fmt: skip
    me = client.get(f"{API}/user").json()["guid"]
    for method, path in calls:
        assert client.request(method, path, json=SENT | {"user_guid": me}).json()["code"] == 22, (method, path)


def test_content_chooses_only_what_there_is_for_its_publisher(server: Asked, boss: TestClient) -> None:
    _, client = server.person("amara")
    guid = boss.post(IMAGES, json=SENT).json()["guid"]
    content = client.post(f"{API}/content", json={"name": "report"}).json()["guid"]
    chosen = client.patch(f"{API}/content/{content}", json={"default_environment_guid": guid})
    assert chosen.json()["default_environment_guid"] == guid
    answer = client.patch(f"{API}/content/{content}", json={"default_environment_guid": new_guid()})
    assert answer.status_code == 400 and "GET /v1/environments" in answer.json()["error"]
    assert (
        client.patch(f"{API}/content/{content}", json={"default_environment_guid": None}).json()[
            "default_environment_guid"
        ]
        is None
    )
