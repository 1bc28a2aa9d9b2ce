"""Groups on the wire."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from tests.factories.control_plane import Asked

from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid

API = "/__api__/v1"
GROUPS = f"{API}/groups"


@pytest.fixture
def boss(server: Asked) -> TestClient:
    return server.person("boss", Role.ADMINISTRATOR)[1]


def made(client: TestClient, name: str = "Quality circle") -> str:
    answer = client.post(GROUPS, json={"name": name, "unique_id": f"cn={name}"})
    assert answer.status_code == 200 and set(answer.json()) == {"guid", "name", "owner_guid"}
    return str(answer.json()["guid"])


def test_a_group_is_made_found_and_deleted(server: Asked, boss: TestClient) -> None:
    amara, client = server.person("amara")
    guid = made(client)
    shown = {"guid": guid, "name": "Quality circle", "owner_guid": amara.guid}
    assert client.get(f"{GROUPS}/{guid}").json() == shown
    made(boss, "Plant 4")
    assert boss.get(f"{GROUPS}?prefix=qual").json() == {"results": [shown], "current_page": 1, "total": 1}
    assert [g["name"] for g in boss.get(f"{GROUPS}?page_size=1&page_number=2").json()["results"]] == ["Quality circle"]
    assert client.delete(f"{GROUPS}/{guid}").content == b""
    answer = client.get(f"{GROUPS}/{guid}")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


def test_a_member_is_added_once_and_members_keep_their_order(server: Asked, boss: TestClient) -> None:
    guid = made(boss)
    path = f"{GROUPS}/{guid}/members"
    people = [server.person(name, Role.VIEWER)[0] for name in ("zoe", "amara", "mia")]
    for user in people:
        assert boss.post(path, json={"user_guid": user.guid}).json()["username"] == user.username
    again = boss.post(path, json={"user_guid": people[0].guid})
    assert again.status_code == 409 and "zoe is in “Quality circle” already" in again.json()["error"]
    listed = boss.get(path).json()
    assert [u["username"] for u in listed["results"]] == ["zoe", "amara", "mia"] and listed["total"] == 3
    second = boss.get(f"{path}?page_size=2&page_number=2").json()
    assert ([u["username"] for u in second["results"]], second["total"]) == (["mia"], 3)
    assert boss.delete(f"{path}/{people[1].guid}").content == b""
    gone = boss.delete(f"{path}/{people[1].guid}")
    assert (gone.status_code, gone.json()["code"]) == (404, 4)


def test_only_the_owner_and_administrators_change_a_group(server: Asked, boss: TestClient) -> None:
    zoe, viewer = server.person("zoe", Role.VIEWER)
    _, other = server.person("other")
    guid = made(boss)
    for client in (viewer, other):
        assert client.get(f"{GROUPS}/{guid}").status_code == 200
        assert client.delete(f"{GROUPS}/{guid}").status_code == 403
        assert client.post(f"{GROUPS}/{guid}/members", json={"user_guid": zoe.guid}).status_code == 403
        assert client.delete(f"{GROUPS}/{guid}/members/{zoe.guid}").status_code == 403
    assert viewer.post(GROUPS, json={"name": "mine"}).status_code == 403


def test_what_makes_no_group_or_member_is_refused(server: Asked, boss: TestClient) -> None:
    guid = made(boss)
    path = f"{GROUPS}/{guid}/members"
    for body, status in (
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": 3}, 400),
        ({"name": "a\nb"}, 400),
        ({"name": "quality CIRCLE"}, 409),
    ):
        assert boss.post(GROUPS, json=body).status_code == status, body
    for user, code in ((None, 3), ("x", 3), (new_guid(), 4)):
        assert boss.post(path, json={"user_guid": user}).json()["code"] == code
    assert boss.delete(f"{path}/x").json()["code"] == 3
    for bad in ("page_number=0", "page_size=-1", "page_size=501"):
        assert boss.get(f"{GROUPS}?{bad}").status_code == 400 and boss.get(f"{path}?{bad}").status_code == 400
    for method, below in (("GET", ""), ("DELETE", ""), ("GET", "/members")):
        answer = boss.request(method, f"{GROUPS}/no-guid{below}")
        assert answer.json()["code"] == 3 and "no-guid" in answer.json()["error"]


def test_there_is_no_directory_to_take_groups_from(boss: TestClient) -> None:
    assert boss.get(f"{GROUPS}/remote?prefix=a&limit=5").json()["results"] == []
    assert boss.put(GROUPS, json={"temp_ticket": "t"}).status_code == 409


def test_what_is_open_to_a_group_is_listed_as_far_as_one_may_see_it(server: Asked, boss: TestClient) -> None:
    _, amara = server.person("amara")
    _, stranger = server.person("stranger")
    guid = made(amara)
    content = amara.post(f"{API}/content", json={"name": "report", "title": "Report"}).json()
    grant = {"principal_guid": guid, "principal_type": "group", "role": "viewer"}
    assert amara.post(f"{API}/content/{content['guid']}/permissions", json=grant).status_code == 200
    path = f"{API}/experimental/groups/{guid}/content"
    assert amara.get(path).json() == [
        {
            "content_guid": content["guid"], "content_name": "report", "content_title": "Report", "access_type": "acl",
            "permissions": [{"principal_guid": guid, "principal_name": "Quality circle", "principal_role": "viewer",
                             "principal_type": "group"}],
        }
    ]  # fmt: skip
    assert stranger.get(path).json() == []


def test_deleting_a_group_closes_what_was_open_to_it(server: Asked) -> None:
    _, amara = server.person("amara")
    zoe, viewer = server.person("zoe", Role.VIEWER)
    guid = made(amara)
    amara.post(f"{GROUPS}/{guid}/members", json={"user_guid": zoe.guid})
    content = amara.post(f"{API}/content", json={"name": "report"}).json()["guid"]
    amara.post(
        f"{API}/content/{content}/permissions",
        json={"principal_guid": guid, "principal_type": "group", "role": "viewer"},
    )
    assert viewer.get(f"{API}/content/{content}").status_code == 200
    amara.delete(f"{GROUPS}/{guid}")
    assert viewer.get(f"{API}/content/{content}").status_code == 404
    assert amara.get(f"{API}/content/{content}/permissions").json() == []
