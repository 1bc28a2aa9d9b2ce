"""Our own API for people, groups, keys and logins."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.factories.api import api_app, client_of
from tests.factories.identity import PASSWORD, add_key, add_user, principal, sign_in

from pilothouse.base.access import SYSTEM, Role
from pilothouse.db import Database, Watch
from pilothouse.identity import service
from pilothouse.identity.api import router
from pilothouse.identity.models import User
from pilothouse.identity.service import passwords

API = "/api/v1"


@pytest.fixture
def app(sqlite_database: Database) -> FastAPI:
    return api_app(sqlite_database, router)


@pytest.fixture
def admin(app: FastAPI) -> TestClient:
    return client_of(app, SYSTEM)


@pytest.fixture
def amara(sqlite_database: Database) -> User:
    return add_user(sqlite_database, role=Role.PUBLISHER)


@pytest.fixture
def me(app: FastAPI, amara: User) -> TestClient:
    return client_of(app, principal(app.state.database, amara))


def test_somebody_is_added_changed_and_found(admin: TestClient) -> None:
    new = {"username": "mia.chen", "role": "publisher", "password": PASSWORD, "department": "Quality", "locale": "de"}
    answer = admin.post(f"{API}/users", json=new)
    assert answer.status_code == 201
    guid = answer.json()["guid"]
    assert PASSWORD not in answer.text and "password" not in answer.json()
    changed = admin.patch(f"{API}/users/{guid}", json={"role": "viewer", "locked": True, "title": "Chemist"}).json()
    assert (changed["role"], changed["locked"], changed["title"]) == ("viewer", True, "Chemist")
    assert changed["department"] == "Quality"
    found = admin.get(f"{API}/users", params={"prefix": "MIA"}).json()
    assert (found["total"], found["current_page"], found["results"][0]["guid"]) == (1, 1, guid)
    assert admin.get(f"{API}/users/{guid}").json() == changed


def test_of_a_change_that_is_refused_in_part_nothing_stays(admin: TestClient, amara: User) -> None:
    answer = admin.patch(f"{API}/users/{amara.guid}", json={"title": "Boss", "timezone": "x" * 99})
    assert answer.status_code == 422
    assert admin.get(f"{API}/users/{amara.guid}").json()["title"] is None


def test_a_person_manages_their_keys(me: TestClient, amara: User, sqlite_database: Database) -> None:
    path = f"{API}/users/{amara.guid}/keys"
    made = me.post(path, json={"name": "laptop"}).json()
    with sqlite_database.read() as tx:
        assert service.principal_of_key(tx, made["key"]).id == amara.id
    assert made["key"] not in me.get(path).text
    assert [k["name"] for k in me.get(path).json()] == ["laptop"]
    assert me.delete(f"{path}/{made['id']}").status_code == 204
    assert me.get(path).json() == []
    assert me.delete(f"{path}/{made['id']}").json()["code"] == "identity/key-unknown"


def test_a_person_sees_and_ends_their_logins(me: TestClient, amara: User, sqlite_database: Database) -> None:
    found = sign_in(sqlite_database, amara.username)
    (shown,) = me.get(f"{API}/users/{amara.guid}/logins").json()
    assert (shown["id"], shown["address"], shown["user_agent"]) == (found.login.id, "192.0.2.1", "curl/8")
    assert me.delete(f"{API}/logins/{shown['id']}").status_code == 204
    assert me.get(f"{API}/users/{amara.guid}/logins").json() == []
    assert me.delete(f"{API}/logins/{shown['id']}").status_code == 404


def test_keys_and_logins_say_when_they_were_used(me: TestClient, amara: User, sqlite_database: Database) -> None:
    key = add_key(sqlite_database, amara)
    add_key(sqlite_database, amara, name="unused")
    resolver = service.Resolver(sqlite_database, Watch(sqlite_database), cookie="c")
    resolver.resolve({"authorization": f"Key {key}"})
    resolver.flush_uses()
    used, unused = me.get(f"{API}/users/{amara.guid}/keys").json()
    assert used["used_at"] and unused["used_at"] is None


def test_a_person_sets_a_new_password(me: TestClient, amara: User, sqlite_database: Database) -> None:
    path = f"{API}/users/{amara.guid}/password"
    assert me.post(path, json={"password": "another-light-8"}).status_code == 204
    assert sign_in(sqlite_database, amara.username, "another-light-8")
    weak = me.post(path, json={"password": "short"})
    assert (weak.status_code, weak.json()["code"]) == (422, "identity/weak-password")
    assert "short" not in weak.text.replace("too short", "")


def test_groups_have_members_in_order(admin: TestClient, amara: User) -> None:
    group = admin.post(f"{API}/groups", json={"name": "Plant 4"}).json()["guid"]
    path = f"{API}/groups/{group}/members"
    assert admin.post(path, json={"user_guid": amara.guid}).status_code == 204
    assert [u["username"] for u in admin.get(path).json()] == ["amara.okoye"]
    assert admin.delete(f"{path}/{amara.guid}").status_code == 204
    assert admin.get(path).json() == []
    assert admin.post(f"{API}/groups", json={"name": "plant 4"}).json()["code"] == "identity/group-name-taken"
    assert admin.get(f"{API}/groups").json()["total"] == 1


def test_groups_hold_groups_but_never_in_a_circle(admin: TestClient) -> None:
    plant, lab = (admin.post(f"{API}/groups", json={"name": name}).json()["guid"] for name in ("Plant", "Lab"))
    inner = f"{API}/groups/{plant}/groups"
    assert admin.post(inner, json={"group_guid": lab}).status_code == 204
    assert [g["name"] for g in admin.get(inner).json()] == ["Lab"]
    for outer, other, status, code in (
        (plant, lab, 409, "identity/member-already"), (lab, plant, 409, "identity/group-cycle"), (lab, lab, 409, "identity/group-cycle"),
        (plant, "nonsense", 404, "identity/group-unknown"), ("nonsense", lab, 404, "identity/group-unknown"),
    ):  # fmt: skip
        refused = admin.post(f"{API}/groups/{outer}/groups", json={"group_guid": other})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert admin.post(inner, json={"group_guid": lab, "shoe": 1}).status_code == 422
    assert admin.post(inner, json={"group_guid": 5}).status_code == 422
    assert admin.delete(f"{inner}/{lab}").status_code == 204
    assert admin.delete(f"{inner}/{lab}").json()["code"] == "identity/member-unknown"
    assert admin.get(inner).json() == []


def test_a_group_ends_once(admin: TestClient) -> None:
    path = f"{API}/groups/{admin.post(f'{API}/groups', json={'name': 'Plant'}).json()['guid']}"
    gone = admin.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert admin.delete(path).status_code == 404 and admin.get(f"{path}/members").status_code == 404
    assert admin.get(f"{API}/groups").json()["results"] == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "a\nb", None, 5])
def test_a_group_needs_a_name_of_one_line(admin: TestClient, name: object) -> None:
    answer = admin.post(f"{API}/groups", json={"name": name})
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"


def test_only_its_maker_and_administrators_change_a_group(app: FastAPI, admin: TestClient, amara: User) -> None:
    others = [add_user(app.state.database, name, Role.PUBLISHER) for name in ("henrik.dahl", "ines.ferreira")]
    maker, other = (client_of(app, principal(app.state.database, user)) for user in others)
    guid = maker.post(f"{API}/groups", json={"name": "Plant"}).json()["guid"]
    lab = admin.post(f"{API}/groups", json={"name": "Lab"}).json()["guid"]
    calls = (
        ("POST", "members", {"user_guid": amara.guid}), ("DELETE", f"members/{amara.guid}", None),
        ("POST", "groups", {"group_guid": lab}), ("DELETE", f"groups/{lab}", None), ("DELETE", "", None),
    )  # fmt: skip
    for method, path, body in calls:
        where = f"{API}/groups/{guid}/{path}".rstrip("/")
        assert other.request(method, where, json=body).status_code == 403, (method, path)
        assert client_of(app).request(method, where, json=body).status_code == 401, (method, path)
        assert maker.request(method, where, json=body).status_code == 204, (method, path)


def test_me_is_whoever_asks(me: TestClient, amara: User) -> None:
    assert me.get(f"{API}/users/me").json()["guid"] == amara.guid


def paths_of(guid: str) -> list[tuple[str, str, Any]]:
    return [
        ("POST", "/users", {"username": "x"}),
        ("PATCH", f"/users/{guid}", {"role": "administrator"}),
        ("PATCH", f"/users/{guid}", {"locked": True}),
        ("PATCH", f"/users/{guid}", {"title": "Boss"}),
        ("POST", f"/users/{guid}/password", {"password": "another-light-8"}),
        ("GET", f"/users/{guid}/keys", None),
        ("POST", f"/users/{guid}/keys", {"name": "x"}),
        ("GET", f"/users/{guid}/logins", None),
    ]


def test_others_are_denied_and_nobody_has_to_sign_in(app: FastAPI, amara: User) -> None:
    henrik = add_user(app.state.database, "henrik.dahl", Role.PUBLISHER)
    other, nobody = client_of(app, principal(app.state.database, henrik)), client_of(app)
    for method, path, body in paths_of(amara.guid):
        denied = other.request(method, API + path, json=body)
        assert (denied.status_code, denied.headers["content-type"]) == (403, "application/problem+json"), path
        assert nobody.request(method, API + path, json=body).status_code == 401, path
    for path in ("/users", "/groups", "/users/me", f"/users/{amara.guid}"):
        assert nobody.get(API + path).status_code == 401, path


def test_nothing_is_hashed_for_somebody_who_may_not(app: FastAPI, amara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    henrik = add_user(app.state.database, "henrik.dahl", Role.PUBLISHER)
    monkeypatch.setattr(passwords._hasher.__class__, "hash", lambda *_: pytest.fail("hashed"))
    other = client_of(app, principal(app.state.database, henrik))
    assert other.post(f"{API}/users", json={"username": "x", "password": "y" * 20}).status_code == 403
    answer = other.post(f"{API}/users/{amara.guid}/password", json={"password": "y" * 20})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"username": "x", "shoe": 1}, "shoe"),
        ({"username": "x", "role": "king"}, "role"),
        ({}, "username"),
        ({"username": "../etc"}, "user name"),
    ],
)
def test_a_wrong_body_is_told_by_field(admin: TestClient, body: dict[str, Any], words: str) -> None:
    answer = admin.post(f"{API}/users", json=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("query", ["page_number=0", "page_size=501", "page_size=0", "page_number=x"])
def test_pages_that_can_not_be_are_refused(admin: TestClient, query: str) -> None:
    assert admin.get(f"{API}/users?{query}").status_code == 422


def test_numbers_that_no_row_can_have_are_refused(admin: TestClient, amara: User) -> None:
    assert admin.delete(f"{API}/users/{amara.guid}/keys/{10**30}").status_code == 422


def test_a_search_for_what_no_name_holds_finds_nothing(admin: TestClient) -> None:
    assert admin.get(f"{API}/users?prefix=%00").json()["results"] == []
