"""Content on the wire (connect-wire-api §2.2, §3.4)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.factories.content import make
from tests.factories.control_plane import Asked

from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid

#: All of §3.4, and ours: the load group.
FIELDS = [
    "guid",
    "name",
    "title",
    "id",
    "description",
    "content_category",
    "access_type",
    "locked",
    "locked_message",
    "extension",
    "connection_timeout",
    "read_timeout",
    "init_timeout",
    "idle_timeout",
    "max_processes",
    "min_processes",
    "max_conns_per_process",
    "load_factor",
    "cpu_request",
    "cpu_limit",
    "memory_request",
    "memory_limit",
    "amd_gpu_limit",
    "nvidia_gpu_limit",
    "service_account_name",
    "default_image_name",
    "default_environment_guid",
    "environment_guid",
    "cluster_name",
    "image_name",
    "default_r_environment_management",
    "default_py_environment_management",
    "r_environment_management",
    "py_environment_management",
    "created_time",
    "last_deployed_time",
    "bundle_id",
    "app_mode",
    "parameterized",
    "r_version",
    "py_version",
    "quarto_version",
    "node_version",
    "run_as",
    "run_as_current_user",
    "owner_guid",
    "app_role",
    "content_url",
    "dashboard_url",
    "draft_marker_enabled",
    "metrics_collection_enabled",
    "notify_on_share",
    "otel_enabled",
    "public_content_status",
    "load_group",
    "requests_per_minute",
]
EVERYTHING = {
    "title": "Viscosity", "description": "Of batch 12", "access_type": "logged_in", "locked": True, "locked_message": "Until Monday",
    "connection_timeout": 60, "read_timeout": 120, "init_timeout": 30, "idle_timeout": 10, "max_processes": 3, "min_processes": 1,
    "max_conns_per_process": 20, "load_factor": 0.5, "cpu_request": 0.5, "cpu_limit": 1.0, "memory_request": 1024, "memory_limit": 2**28,
    "amd_gpu_limit": 0, "nvidia_gpu_limit": 0, "service_account_name": "analysts", "default_image_name": "image",
    "default_environment_guid": "", "default_r_environment_management": False, "default_py_environment_management": True,
}  # fmt: skip


def test_what_post_answers_is_what_get_and_the_list_answer(server: Asked) -> None:
    _, client = server.person()
    made = client.post("/__api__/v1/content", json={"name": "daily-report", "title": "Daily report"}).json()
    assert (made["name"], made["title"], made["app_mode"]) == ("daily-report", "Daily report", "unknown")
    assert client.get(f"/__api__/v1/content/{made['guid']}").json() == made
    assert client.get("/__api__/v1/content").json() == [made]


def test_content_has_every_field_of_the_protocol(server: Asked) -> None:
    _, client = server.person()
    made = make(client)
    assert set(made) == set(FIELDS)
    assert (made["id"], made["description"], made["bundle_id"], made["title"]) == (str(int(made["id"])), "", None, None)
    assert made["content_url"] == f"http://localhost:3939/content/{made['guid']}/"
    assert made["dashboard_url"] == f"http://localhost:3939/connect/#/apps/{made['guid']}"


def everything(server: Asked) -> dict[str, Any]:
    """A value for every field that can be set, of an environment that there is."""
    _, boss = server.person("boss", Role.ADMINISTRATOR)
    image = boss.post("/__api__/v1/environments", json={"title": "R", "name": "r:4", "cluster_name": "Local"}).json()
    return EVERYTHING | {"default_environment_guid": image["guid"]}


def test_every_field_is_set_and_put_back(server: Asked) -> None:
    _, client = server.person()
    before, wanted = make(client), everything(server)
    path = f"/__api__/v1/content/{before['guid']}"
    changed = client.patch(path, json=wanted).json()
    assert {name: changed[name] for name in wanted} == wanted
    assert client.get(path).json() == changed
    assert client.patch(path, json=dict.fromkeys(EVERYTHING)).json() == before


def test_content_is_made_with_all_its_fields_at_once(server: Asked) -> None:
    _, client = server.person()
    wanted = everything(server)
    made = make(client, **wanted)
    assert {name: made[name] for name in wanted} == wanted


def test_a_change_of_nothing_succeeds(server: Asked) -> None:
    _, client = server.person()
    made = make(client, "daily-report")
    path = f"/__api__/v1/content/{made['guid']}"
    for nothing in (
        {},
        {"name": ""},
        {"name": None},
        {"owner_guid": None},
        {"run_as": "", "run_as_current_user": False},
        {"colour": "red"},
    ):
        answer = client.patch(path, json=nothing)
        assert (answer.status_code, answer.json()) == (200, made), nothing
    assert client.patch(path, content=b"").json() == made


def test_a_wrong_type_is_refused_by_the_name_of_its_field(server: Asked) -> None:
    _, client = server.person()
    path = f"/__api__/v1/content/{make(client)['guid']}"
    for name in [*EVERYTHING, "name", "owner_guid", "run_as", "run_as_current_user"]:
        answer = client.patch(path, json={name: {"a": 1}})
        assert (answer.status_code, answer.json()["code"]) == (400, 101), name
        assert name in answer.json()["error"]


def test_nobody_can_be_chosen_to_run_as(server: Asked) -> None:
    _, client = server.person(role=Role.ADMINISTRATOR)
    path = f"/__api__/v1/content/{make(client)['guid']}"
    for wish in ({"run_as": "root"}, {"run_as_current_user": True}):
        answer = client.patch(path, json=wish)
        assert (answer.status_code, answer.json()["code"]) == (400, 101)
        assert next(iter(wish)) in answer.json()["error"]


def test_content_is_given_to_somebody_who_may_own_it(server: Asked) -> None:
    _, client = server.person()
    other, others = server.person("jonas.weber")
    viewer, _ = server.person("lena.fischer", Role.VIEWER)
    made = make(client, "daily-report")
    path = f"/__api__/v1/content/{made['guid']}"
    refused = client.patch(path, json={"owner_guid": viewer.guid})
    assert (refused.status_code, refused.json()["code"]) == (403, 22)
    assert client.patch(path, json={"owner_guid": new_guid()}).status_code == 400
    given = client.patch(path, json={"owner_guid": other.guid})
    assert (given.status_code, given.json()["owner_guid"], given.json()["app_role"]) == (200, other.guid, "none")
    assert client.get(path).status_code == 404
    assert others.get(path).json()["app_role"] == "owner"


def test_content_goes_to_nobody_who_has_such_a_name_already(server: Asked) -> None:
    _, client = server.person()
    other, others = server.person("jonas.weber")
    made = make(client, "daily-report")
    make(others, "daily-report")
    answer = client.patch(f"/__api__/v1/content/{made['guid']}", json={"owner_guid": other.guid})
    assert (answer.status_code, answer.json()["code"]) == (409, 102)


def test_what_is_included_is_there_only_when_there_is_some(server: Asked) -> None:
    user, client = server.person(first_name="Amara", last_name="Okoye")
    made = make(client)
    path = f"/__api__/v1/content/{made['guid']}?include=owner,tags,vanity_url"
    whose = {"guid": user.guid, "username": "amara.okoye", "first_name": "Amara", "last_name": "Okoye"}
    assert client.get(path).json() == {**made, "owner": whose}
    client.put(f"/__api__/v1/content/{made['guid']}/vanity", json={"path": "sales/report"})
    shown = client.get(path).json()
    assert shown["vanity_url"] == "http://localhost:3939/sales/report/"
    assert client.get("/__api__/v1/content?include=owner,vanity_url").json() == [
        {**made, "owner": whose, "vanity_url": shown["vanity_url"]}
    ]


def test_the_list_is_whole_and_the_last_deployed_stands_first(server: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.connect_api.content.CHUNK", 3)
    _, client = server.person()
    guids = [make(client, f"report-{n}")["guid"] for n in range(8)]
    answer = client.get("/__api__/v1/content?something=else")
    assert answer.headers["content-type"].startswith("application/json")
    assert [item["guid"] for item in answer.json()] == guids[::-1]


def test_the_list_is_narrowed_by_the_exact_name_and_by_the_owner(server: Asked) -> None:
    user, client = server.person()
    _, others = server.person("jonas.weber")
    mine = make(client, "report")
    make(client, "report-2")
    theirs = make(others, "report", access_type="logged_in")
    names = client.get("/__api__/v1/content?name=report").json()
    assert [item["guid"] for item in names] == [theirs["guid"], mine["guid"]]
    assert [item["guid"] for item in client.get(f"/__api__/v1/content?name=report&owner_guid={user.guid}").json()] == [
        mine["guid"]
    ]
    assert client.get(f"/__api__/v1/content?owner_guid={new_guid()}").json() == []
    wrong = client.get("/__api__/v1/content?owner_guid=amara")
    assert (wrong.status_code, wrong.json()["code"]) == (400, 3)
    assert "amara" in wrong.json()["error"]


def test_content_is_searched_page_by_page(server: Asked) -> None:
    _, client = server.person()
    for n in range(5):
        make(client, f"report-{n}", title="Viscosity of batches")
    make(client, "handbook")
    first = client.get("/__api__/v1/search/content?q=viscosity&page_size=2").json()
    assert set(first) == {"results", "current_page", "total"}
    assert ([item["name"] for item in first["results"]], first["current_page"], first["total"]) == (
        ["report-4", "report-3"],
        1,
        5,
    )
    assert (
        client.get("/__api__/v1/search/content?q=report&page_size=2&page_number=3").json()["results"][0]["name"]
        == "report-0"
    )
    past = client.get("/__api__/v1/search/content?page_number=1000000000").json()
    assert (past["results"], past["total"]) == ([], 6)
    assert "owner" in client.get("/__api__/v1/search/content?q=handbook&include=owner").json()["results"][0]


def test_deleted_content_is_gone_with_an_empty_answer(server: Asked) -> None:
    _, client = server.person()
    made = make(client, "daily-report")
    answer = client.delete(f"/__api__/v1/content/{made['guid']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in (f"v1/content/{made['guid']}", f"applications/{made['id']}", f"applications/{made['guid']}"):
        gone = client.get(f"/__api__/{path}")
        assert (gone.status_code, gone.json()["code"]) == (404, 4)
    again = make(client, "daily-report")
    assert int(again["id"]) > int(made["id"])


def test_a_stage_lists_and_finds_only_its_own(server: Asked) -> None:
    _, client = server.person()
    made = make(client, "daily-report")
    assert client.get("/prod/__api__/v1/content").json() == []
    answer = client.get(f"/prod/__api__/v1/content/{made['guid']}")
    assert (answer.status_code, answer.json()["code"]) == (404, 4)


def test_content_that_is_not_from_git_says_so(server: Asked) -> None:
    _, client = server.person()
    path = f"/__api__/v1/content/{make(client)['guid']}/repository"
    for method in ("GET", "DELETE", "PUT", "PATCH"):
        answer = client.request(method, path, json={"repository": "https://git.example/a"})
        assert (answer.status_code, answer.json()["code"]) == (404, 4)


def test_vanity_paths_are_listed_taken_and_kept_apart(server: Asked) -> None:
    _, client = server.person()
    _, others = server.person("jonas.weber")
    one, two, theirs = make(client, "one-1"), make(client, "two-2"), make(others, "their-3")
    path = "/__api__/v1/content/{}/vanity"
    made = client.put(path.format(one["guid"]), json={"path": "sales"}).json()
    assert set(made) == {"content_guid", "path", "created_time"}
    assert client.get(path.format(one["guid"])).json() == made
    assert client.get("/__api__/v1/vanities").json() == [made]
    assert others.get("/__api__/v1/vanities").json() == []
    taken = client.put(path.format(two["guid"]), json={"path": "/sales/"})
    assert (taken.status_code, taken.json()["code"]) == (409, 102)
    assert client.put(path.format(two["guid"]), json={"path": "sales/q3", "force": True}).status_code == 409
    assert others.put(path.format(theirs["guid"]), json={"path": "sales", "force": True}).status_code == 403
    assert client.put(path.format(two["guid"]), json={"path": "sales", "force": True}).status_code == 200
    none = client.get(path.format(one["guid"]))
    assert (none.status_code, none.json()["code"]) == (404, 4)
    for reserved in ("connect/x", "__api__", "content/a", "prod/x", "", "a//b", "../x", "ümlaut"):
        assert client.put(path.format(one["guid"]), json={"path": reserved}).status_code == 400, reserved


def test_force_of_a_path_is_true_or_false(server: Asked) -> None:
    _, client = server.person()
    path = f"/__api__/v1/content/{make(client)['guid']}/vanity"
    refused = client.put(path, json={"path": "/mine/", "force": "yes"})
    assert (refused.status_code, refused.json()["code"]) == (400, 101)
    assert client.put(path, json={"path": "/mine/", "force": False}).status_code == 200
