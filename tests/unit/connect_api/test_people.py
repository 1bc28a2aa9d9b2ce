"""Users and their keys on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from tests.factories.control_plane import Asked
from tests.factories.identity import PASSWORD, add_key, add_user

from pilothouse.base import clock
from pilothouse.base.access import ResourceRef, Role
from pilothouse.base.ids import new_guid
from pilothouse.identity.contract import Bound
from pilothouse.identity.models import User

USERS = "/__api__/v1/users"
FIELDS = {"guid", "username", "email", "first_name", "last_name", "user_role", "created_time", "updated_time", "active_time",
          "confirmed", "locked"}  # fmt: skip


@pytest.fixture
def boss(server: Asked) -> TestClient:
    return server.person("boss", Role.ADMINISTRATOR)[1]


def names(client: TestClient, query: str = "") -> list[str]:
    answer = client.get(f"{USERS}{query}")
    assert answer.status_code == 200 and set(answer.json()) == {"results", "current_page", "total"}
    return [user["username"] for user in answer.json()["results"]]


def test_users_are_listed_by_name_and_narrowed(server: Asked, boss: TestClient) -> None:
    zoe, _ = server.person("zoe", Role.VIEWER)
    server.person("amara", Role.PUBLISHER, first_name="Zora")
    lars, _ = server.person("lars", Role.VIEWER)
    with server.database.write() as tx:
        tx.execute(update(User).where(User.id == zoe.id).values(active_at=clock.now()))
        tx.execute(update(User).where(User.id == lars.id).values(locked=True))
    assert names(boss) == ["amara", "boss", "lars", "zoe"]
    assert names(boss, "?asc_order=false&page_size=3") == ["zoe", "lars", "boss"]
    assert names(boss, "?page_size=3&page_number=2") == ["zoe"] and names(boss, "?page_number=9") == []
    assert names(boss, "?prefix=ZO") == ["amara", "zoe"]
    assert names(boss, "?user_role=viewer%7Cadministrator") == ["boss", "lars", "zoe"]
    assert names(boss, "?account_status=locked") == ["lars"]
    assert names(boss, "?account_status=licensed") == ["zoe"]
    assert names(boss, "?account_status=inactive%7Clocked&unknown=1") == ["amara", "boss", "lars"]


@pytest.mark.parametrize(
    "query",
    ["user_role=king", "account_status=asleep", "page_number=0", "page_number=-1", "page_size=0", "page_size=501",
     "page_number=99999999999999999999999", "page_size=x", "asc_order=perhaps"],
)  # fmt: skip
def test_a_list_that_can_not_be_is_refused(boss: TestClient, query: str) -> None:
    answer = boss.get(f"{USERS}?{query}")
    assert answer.status_code == 400 and set(answer.json()) == {"code", "error", "payload"}


def test_an_administrator_makes_a_user_who_signs_in(server: Asked, boss: TestClient) -> None:
    sent = {"username": "nina", "email": "nina@example.com", "first_name": "Nina", "last_name": "Berg", "password": PASSWORD,
            "user_must_set_password": True, "user_role": "publisher", "unique_id": "n-1", "__confirmed": True}  # fmt: skip
    made = boss.post(USERS, json=sent)
    assert made.status_code == 200 and set(made.json()) == FIELDS
    assert (made.json()["user_role"], made.json()["confirmed"], made.json()["locked"]) == ("publisher", True, False)
    assert boss.get(f"{USERS}/{made.json()['guid']}").json() == made.json()
    signed_in = server.client().post("/__api__/__login__", json={"username": "nina", "password": PASSWORD})
    assert signed_in.status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 400), ({"username": 7}, 400), ({"username": "a b"}, 400), ({"username": "x" * 300}, 400), ({"username": "BOSS"}, 409),
        ({"username": "n", "password": "short"}, 400), ({"username": "harbour-light", "password": "harbour-light"}, 400),
        ({"username": "n", "user_role": "king"}, 400), ({"username": "n", "user_role": "viewer|publisher"}, 400),
        ({"username": "n", "email": "x" * 400}, 400), ({"username": "n", "first_name": "a\nb"}, 400),
        ({"username": "n", "user_must_set_password": "yes"}, 400), ({"username": "n", "unique_id": "a\x00"}, 400),
    ],
)  # fmt: skip
def test_users_that_can_not_be_are_refused(boss: TestClient, sent: dict[str, Any], status: int) -> None:
    assert boss.post(USERS, json=sent).status_code == status


def test_a_user_changes_themselves_and_an_administrator_the_rest(server: Asked, boss: TestClient) -> None:
    amara, client = server.person("amara")
    path = f"{USERS}/{amara.guid}"
    assert client.put(path, json={"email": "a@example.com", "last_name": None}).json()["email"] == "a@example.com"
    for denied in ({"user_role": "administrator"}, {"username": "queen"}):
        answer = client.put(path, json=denied)
        assert (answer.status_code, answer.json()["code"]) == (403, 22)
    changed = boss.put(path, json={"user_role": "viewer", "username": "amara.okoye"}).json()
    assert (changed["user_role"], changed["username"], changed["email"]) == ("viewer", "amara.okoye", "a@example.com")
    assert boss.put(path, json={"username": "boss"}).status_code == 409
    assert boss.put(path, json={"username": ["x"]}).status_code == 400
    assert boss.put(path, content=b"[]").status_code == 400


def test_the_last_administrator_stays_one(boss: TestClient) -> None:
    path = f"{USERS}/{boss.get('/__api__/v1/user').json()['guid']}"
    assert boss.put(path, json={"user_role": "viewer"}).status_code == 409
    assert boss.post(f"{path}/lock", json={"locked": True}).status_code == 409


def test_a_locked_user_is_out_until_unlocked(server: Asked, boss: TestClient) -> None:
    amara, client = server.person("amara")
    path = f"{USERS}/{amara.guid}/lock"
    assert client.post(path, json={"locked": False}).status_code == 403
    assert boss.post(path, json={"locked": True}).json()["locked"] is True
    server.notice()
    assert client.get("/__api__/v1/user").status_code == 401
    assert boss.post(path, json={"locked": False}).json()["locked"] is False
    assert [boss.post(path, json=body).status_code for body in ({}, {"locked": 1}, {"locked": None})] == [400] * 3


def test_there_is_no_directory_to_take_people_from(server: Asked, boss: TestClient) -> None:
    assert boss.get(f"{USERS}/remote?prefix=a").json() == {"results": [], "current_page": 1, "total": 0}
    answer = boss.put(USERS, json={"temp_ticket": "t"})
    assert answer.status_code == 409 and "no directory" in answer.json()["error"]
    assert server.person("amara")[1].put(USERS, json={"temp_ticket": "t"}).status_code == 403


def test_malformed_and_unknown_ids_are_told_apart(boss: TestClient) -> None:
    for call in ("get", "put"):
        bad = boss.request(call, f"{USERS}/not-a-guid")
        assert (bad.status_code, bad.json()["code"]) == (400, 3) and "not-a-guid" in bad.json()["error"]
        unknown = boss.request(call, f"{USERS}/{new_guid()}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, 4)


def test_keys_are_made_listed_and_revoked(server: Asked, boss: TestClient) -> None:
    amara, client = server.person("amara")
    path = f"{USERS}/{amara.guid}/keys"
    made = client.post(path, json={"name": "ci"}).json()
    assert server.client(key=made["key"]).get("/__api__/v1/user").status_code == 200
    assert made["id"] in [key["id"] for key in client.get(path).json()]
    for bad, code in (("x", 3), ("-1", 3), ("9" * 30, 3), ("999999", 4)):
        assert client.delete(f"{path}/{bad}").json()["code"] == code
    assert client.delete(f"{path}/{made['id']}").content == b""
    server.notice()
    assert server.client(key=made["key"]).get("/__api__/v1/user").status_code == 401
    _, stranger = server.person("other")
    assert stranger.get(path).status_code == 403 and stranger.post(path, json={"name": "x"}).status_code == 403
    assert [client.post(path, json=body).status_code for body in ({}, {"name": ""}, {"name": 1})] == [400] * 3


def test_a_key_of_a_job_learns_nothing_of_people(server: Asked) -> None:
    """SECURITY 16: but who it acts for."""
    amara, _ = server.person("amara")
    other = add_user(server.database, "other")
    bound = Bound(ResourceRef("content", 1), job_id=1, stage_id=1, expires_at=None)
    client = server.client(key=add_key(server.database, amara, bound=bound))
    assert client.get("/__api__/v1/user").status_code == 200
    calls = [("GET", USERS), ("GET", f"{USERS}/{other.guid}"), ("PUT", f"{USERS}/{amara.guid}"), ("POST", USERS), ("GET", f"{USERS}/remote"),
             ("GET", f"{USERS}/{amara.guid}/keys"), ("POST", f"{USERS}/{amara.guid}/keys"), ("POST", f"{USERS}/{other.guid}/lock"),
             ("GET", "/__api__/v1/groups"), ("POST", "/__api__/v1/groups"), ("GET", "/__api__/v1/audit_logs"),
             ("POST", "/__api__/v1/tasks/send-test-email"), ("GET", "/__api__/v1/system/checks")]  # fmt: skip
    for method, path in calls:
        answer = client.request(
            method, path, json={"locked": True, "name": "x", "username": "x", "to": "x@example.com"}
        )
        assert answer.status_code == 403, (method, path)


def test_nobody_sees_people(server: Asked) -> None:
    for path in (
        USERS,
        f"{USERS}/{new_guid()}",
        "/__api__/v1/groups",
        "/__api__/v1/tags",
        "/__api__/v1/environments",
        "/__api__/v1/timezones",
    ):
        answer = server.client().get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, 30)
