"""The tree of tags on the wire (connect-wire-api §3.5)."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.factories.control_plane import Asked

from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid

API = "/__api__/v1"
TAGS = f"{API}/tags"


class Tree:
    """Department (category) > Research > Chemistry > Polymers; Department > Sales."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.ids = client, dict[str, str]()
        for name, parent in (("Department", None), ("Research", "Department"), ("Chemistry", "Research"), ("Polymers", "Chemistry"),
                             ("Sales", "Department")):  # fmt: skip
            sent = {"name": name} | ({"parent_id": self.ids[parent]} if parent else {})
            self.ids[name] = self.client.post(TAGS, json=sent).json()["id"]

    def on(self, content: str, client: TestClient | None = None) -> list[str]:
        return [tag["name"] for tag in (client or self.client).get(f"{API}/content/{content}/tags").json()]


@pytest.fixture
def boss(server: Asked) -> TestClient:
    return server.person("boss", Role.ADMINISTRATOR)[1]


@pytest.fixture
def tree(boss: TestClient) -> Tree:
    return Tree(boss)


def content(client: TestClient, name: str = "report") -> str:
    return str(client.post(f"{API}/content", json={"name": name}).json()["guid"])


def put(client: TestClient, guid: str, tag_id: Any) -> Any:
    return client.post(f"{API}/content/{guid}/tags", json={"tag_id": tag_id})


def test_a_tag_has_these_keys_in_this_order(tree: Tree) -> None:
    tag = tree.client.get(f"{TAGS}/{tree.ids['Chemistry']}").json()
    assert list(tag) == ["id", "name", "parent_id", "created_time", "updated_time"]
    assert (tag["id"], tag["parent_id"]) == (tree.ids["Chemistry"], tree.ids["Research"])
    assert tree.client.get(f"{TAGS}/{tree.ids['Department']}").json()["parent_id"] is None


def test_tags_are_found_by_name_and_parent(server: Asked, tree: Tree) -> None:
    _, viewer = server.person("zoe", Role.VIEWER)
    assert [tag["name"] for tag in viewer.get(TAGS).json()] == [
        "Department",
        "Research",
        "Chemistry",
        "Polymers",
        "Sales",
    ]
    assert [tag["name"] for tag in viewer.get(f"{TAGS}?parent_id={tree.ids['Department']}").json()] == [
        "Research",
        "Sales",
    ]
    assert [tag["id"] for tag in viewer.get(f"{TAGS}?name=sales").json()] == [tree.ids["Sales"]]
    assert viewer.get(f"{TAGS}?name=%01").json() == [] and viewer.get(f"{TAGS}?parent_id=x").json()["code"] == 3


def test_tagging_adds_all_above_but_the_category(server: Asked, tree: Tree) -> None:
    _, amara = server.person("amara")
    guid = content(amara)
    assert [tag["name"] for tag in put(amara, guid, tree.ids["Polymers"]).json()] == [
        "Research",
        "Chemistry",
        "Polymers",
    ]
    assert put(amara, guid, int(tree.ids["Polymers"])).status_code == 200
    assert tree.on(guid, amara) == ["Research", "Chemistry", "Polymers"]
    refused = put(amara, guid, tree.ids["Department"])
    assert refused.status_code == 400 and "category" in refused.json()["error"]


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ("Polymers", ["Research", "Chemistry", "Sales"]),
        ("Research", ["Sales"]),
        ("Department", []),
        ("Sales", ["Research", "Chemistry", "Polymers"]),
    ],
)
def test_taking_one_off_takes_those_below_it(server: Asked, tree: Tree, off: str, left: list[str]) -> None:
    _, amara = server.person("amara")
    guid = content(amara)
    for name in ("Polymers", "Sales"):
        put(amara, guid, tree.ids[name])
    for _ in range(2):
        assert amara.delete(f"{API}/content/{guid}/tags/{tree.ids[off]}").content == b""
    assert tree.on(guid, amara) == left


def test_deleting_a_tag_deletes_those_below_it_also_from_content(server: Asked, tree: Tree) -> None:
    _, amara = server.person("amara")
    guid = content(amara)
    put(amara, guid, tree.ids["Polymers"])
    assert tree.client.delete(f"{TAGS}/{tree.ids['Chemistry']}").content == b""
    assert [tag["name"] for tag in tree.client.get(TAGS).json()] == ["Department", "Research", "Sales"]
    assert tree.on(guid, amara) == ["Research"]


def test_content_of_a_tag_includes_what_has_a_tag_below_it(server: Asked, tree: Tree) -> None:
    _, amara = server.person("amara")
    _, stranger = server.person("stranger")
    polymers, sales = content(amara, "polymers"), content(amara, "sales")
    put(amara, polymers, tree.ids["Polymers"])
    put(amara, sales, tree.ids["Sales"])

    def found(name: str, client: TestClient = amara) -> list[str]:
        return [item["name"] for item in client.get(f"{TAGS}/{tree.ids[name]}/content").json()]

    assert (found("Department"), found("Research"), found("Sales")) == (["sales", "polymers"], ["polymers"], ["sales"])
    assert found("Department", stranger) == []


def test_a_tag_is_renamed_and_moved_and_content_follows(server: Asked, tree: Tree) -> None:
    _, amara = server.person("amara")
    guid = content(amara)
    put(amara, guid, tree.ids["Polymers"])
    path = f"{TAGS}/{tree.ids['Chemistry']}"
    changed = tree.client.patch(path, json={"name": "Chemie", "parent_id": tree.ids["Sales"]}).json()
    assert (changed["name"], changed["parent_id"]) == ("Chemie", tree.ids["Sales"])
    assert tree.on(guid, amara) == ["Research", "Chemie", "Polymers", "Sales"]
    assert tree.client.patch(path, json={}).json() == changed
    tree.client.patch(path, json={"parent_id": None})
    assert tree.on(guid, amara) == ["Research", "Polymers", "Sales"], "what became a category is on no content"


@pytest.mark.parametrize("below", ["Research", "Polymers"])
def test_a_tag_is_never_below_itself(tree: Tree, below: str) -> None:
    answer = tree.client.patch(f"{TAGS}/{tree.ids['Research']}", json={"parent_id": tree.ids[below]})
    assert answer.status_code == 409 and "below itself" in answer.json()["error"]


def test_siblings_differ_and_cousins_need_not(tree: Tree) -> None:
    assert tree.client.post(TAGS, json={"name": "SALES", "parent_id": tree.ids["Department"]}).status_code == 409
    assert tree.client.post(TAGS, json={"name": "department"}).status_code == 409
    assert tree.client.post(TAGS, json={"name": "Sales", "parent_id": tree.ids["Research"]}).status_code == 200
    answer = tree.client.patch(f"{TAGS}/{tree.ids['Sales']}", json={"name": "research"})
    assert answer.status_code == 409 and tree.client.get(f"{TAGS}/{tree.ids['Sales']}").json()["name"] == "Sales"


@pytest.mark.parametrize(
    "sent", [{}, {"name": ""}, {"name": "  "}, {"name": None}, {"name": 3}, {"name": "a\x00b"}, {"name": "x" * 61}, {"name": "x", "parent_id": []},
             {"name": "x", "parent_id": "y"}, {"name": "x", "parent_id": -1}, {"name": "x", "parent_id": True}, [], "x"]
)  # fmt: skip
def test_tags_that_can_not_be_are_refused(tree: Tree, sent: Any) -> None:
    assert tree.client.post(TAGS, json=sent).status_code == 400


def test_a_tree_is_not_endlessly_deep(tree: Tree) -> None:
    parent = tree.ids["Polymers"]
    answers = []
    for n in range(25):
        answers.append(tree.client.post(TAGS, json={"name": f"t{n}", "parent_id": parent}))
        parent = answers[-1].json().get("id", parent)
    assert {answer.status_code for answer in answers} == {200, 400}


def test_only_administrators_change_the_tree_and_only_editors_tag(server: Asked, tree: Tree) -> None:
    _, amara = server.person("amara")
    _, stranger = server.person("stranger")
    guid = content(amara)
    path = f"{TAGS}/{tree.ids['Sales']}"
    for answer in (amara.post(TAGS, json={"name": "x"}), amara.patch(path, json={"name": "x"}), amara.delete(path)):
        assert (answer.status_code, answer.json()["code"]) == (403, 22)
    assert put(stranger, guid, tree.ids["Sales"]).status_code == 404
    amara.patch(f"{API}/content/{guid}", json={"access_type": "logged_in"})
    assert put(stranger, guid, tree.ids["Sales"]).status_code == 403
    assert stranger.delete(f"{API}/content/{guid}/tags/{tree.ids['Sales']}").status_code == 403


def test_unknown_and_malformed_ids_are_told_apart(server: Asked, tree: Tree) -> None:
    guid = content(tree.client)
    for tag, code in (("x", 3), ("-1", 3), ("9" * 30, 3), ("999999", 4)):
        for method, path in (("GET", f"{TAGS}/{tag}"), ("PATCH", f"{TAGS}/{tag}"), ("DELETE", f"{TAGS}/{tag}"),
                             ("GET", f"{TAGS}/{tag}/content"), ("DELETE", f"{API}/content/{guid}/tags/{tag}")):  # fmt: skip
            assert tree.client.request(method, path, json={}).json()["code"] == code, (method, path)
        assert put(tree.client, guid, tag).json()["code"] == code
    assert put(tree.client, guid, None).json()["code"] == 3
    assert tree.client.get(f"{API}/content/{new_guid()}/tags").json()["code"] == 4


def test_words_typed_on_a_page_join_the_tree(server: Asked, tree: Tree) -> None:
    from pilothouse.content import service
    from pilothouse.identity.service import principal_of_user
    from pilothouse.stages import StageRef  # noqa: F401

    user, amara = server.person("amara")
    guid = content(amara)
    stage = server.plane.house.stages.all()[0]
    with server.database.write() as tx:
        actor = principal_of_user(tx, user)
        row = service.get_content(tx, actor, stage, guid)
        assert service.set_tags(tx, actor, row, names=["polymers", "viscosity"]) == [
            "Chemistry",
            "Polymers",
            "Research",
            "viscosity",
        ]
        assert service.set_tags(tx, actor, row, names=["viscosity", "Research"]) == ["Research", "viscosity"]
    parents = {tag["name"]: tag["parent_id"] for tag in amara.get(TAGS).json()}
    assert parents["Topics"] is None and parents["viscosity"] is not None


def test_content_shows_its_tags_where_they_are_asked_for(server: Asked, tree: Tree) -> None:
    _, amara = server.person("amara")
    tagged, bare = content(amara, "tagged"), content(amara, "bare")
    put(amara, tagged, tree.ids["Research"])
    shown = {item["name"]: item.get("tags") for item in amara.get(f"{API}/content?include=tags,owner").json()}
    assert shown["bare"] is None and [tag["name"] for tag in shown["tagged"]] == ["Research"]
    assert "tags" not in amara.get(f"{API}/content/{bare}?include=tags").json()
    assert "tags" not in amara.get(f"{API}/content/{tagged}").json()
