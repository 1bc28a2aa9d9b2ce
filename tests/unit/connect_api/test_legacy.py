"""The unversioned endpoints (connect-wire-api §2.4)."""

from __future__ import annotations

from tests.factories.content import deploy, make, site
from tests.factories.control_plane import Asked
from tests.factories.tasks import until

from pilothouse.base.access import Role

APPLICATION = [
    "id",
    "guid",
    "name",
    "title",
    "access_type",
    "connection_timeout",
    "read_timeout",
    "init_timeout",
    "idle_timeout",
    "max_processes",
    "min_processes",
    "max_conns_per_process",
    "load_factor",
    "url",
    "vanity_url",
    "bundle_id",
    "app_mode",
    "content_category",
    "has_parameters",
    "created_time",
    "last_deployed_time",
    "build_status",
    "cluster_name",
    "image_name",
    "r_version",
    "py_version",
    "quarto_version",
    "run_as",
    "run_as_current_user",
    "description",
    "app_role",
    "owner_first_name",
    "owner_last_name",
    "owner_username",
    "owner_guid",
    "owner_email",
    "owner_locked",
    "is_scheduled",
    "git",
    "users",
    "groups",
    "vanities",
]


def test_a_deploy_as_older_clients_do_it(server: Asked) -> None:
    user, client = server.person()
    found = client.get(
        f"/__api__/applications?filter=account_id:{user.id}&filter=name:report&count=100&offset=0"
    ).json()
    assert found == {"applications": [], "count": 0, "total": 0, "continuation": None}
    made = client.post("/__api__/applications", json={"name": "report"}).json()
    assert set(made) >= set(APPLICATION)
    assert isinstance(made["id"], int)
    path = f"/__api__/applications/{made['id']}"
    assert client.post(path, json={"title": "The report", "access_type": None}).json()["title"] == "The report"
    bundle = client.post(f"{path}/upload", content=site(), headers={"content-type": "application/x-gzip"}).json()
    assert (isinstance(bundle["id"], int), bundle["app_id"]) == (True, made["id"])
    with server.working():
        task = client.post(f"{path}/deploy", json={"bundle": bundle["id"]}).json()
        asked = f"/__api__/tasks/{task['id']}"
        until(lambda: client.get(asked).json()["finished"], 20)
    done = client.get(f"{asked}?first_status=0").json()
    assert set(done) == {"id", "user_id", "status", "last_status", "finished", "code", "error", "result"}
    assert (done["code"], done["user_id"], done["last_status"]) == (0, user.id, len(done["status"]))
    assert client.get(f"{asked}?first_status={done['last_status']}").json()["status"] == []
    assert client.get(f"{path}/config").json() == {"config_url": f"http://localhost:3939/connect/#/apps/{made['guid']}"}
    shown = client.get(f"/__api__/applications/{made['guid']}").json()
    assert (shown, shown["bundle_id"], shown["app_mode"]) == (client.get(path).json(), bundle["id"], 4)
    (job,) = client.get(f"/__api__/applications/{made['guid']}/jobs").json()
    assert all(isinstance(job[name], int) for name in ("pid", "app_id", "bundle_id", "start_time", "end_time"))
    assert client.get(f"/__api__/applications/{made['guid']}/job/{job['key']}").json() == job


def test_a_name_twice_is_refused(server: Asked) -> None:
    _, client = server.person()
    client.post("/__api__/applications", json={"name": "report"})
    answer = client.post("/__api__/applications", json={"name": "report"})
    assert (answer.status_code, answer.json()["code"]) == (409, 102)


def test_the_list_goes_on_where_the_last_page_ended(server: Asked) -> None:
    _, client = server.person()
    for n in range(5):
        make(client, f"report-{n}")
    names, asked = [], "count=2"
    while asked:
        page = client.get(f"/__api__/applications/?{asked}").json()
        assert (page["total"], page["count"]) == (5, len(page["applications"]))
        names += [item["name"] for item in page["applications"]]
        asked = f"count=2&cont={page['continuation']}" if page["continuation"] else ""
    assert names == [f"report-{n}" for n in (4, 3, 2, 1, 0)]
    assert client.get("/__api__/applications?count=0").json()["total"] == 5
    assert client.get("/__api__/applications?start=3").json()["count"] == 2


def test_the_list_is_narrowed(server: Asked) -> None:
    _, client = server.person()
    viewer, views = server.person("lena.fischer", Role.VIEWER)
    made = make(client, "viscosity", title="Batch quality", access_type="logged_in")
    make(client, "handbook")
    with server.working():
        pin = make(client, "readings", title="Readings")
        deploy(client, pin["guid"], site(content_category="pin"))

    def named(query: str, by: object = client) -> list[str]:
        return [item["name"] for item in by.get(f"/__api__/applications?{query}").json()["applications"]]  # type: ignore[attr-defined]

    assert named("filter=content_type:pin") == ["readings"]
    assert named("filter=content_type:pin&search=reading") == ["readings"]
    assert named("search=viscosity") == named("search=quality") == ["viscosity"]
    assert named("filter=name:viscosity&filter=min_role:editor") == ["viscosity"]
    assert named("filter=name:viscosity", views) == ["viscosity"]
    assert named("filter=min_role:editor", views) == []
    assert named("filter=min_role:viewer", views) == ["viscosity"]
    assert named(f"filter=account_id:{viewer.id}") == []
    assert named("filter=unheard:of&filter=") == named("")
    wrong = client.get("/__api__/applications?filter=account_id:amara")
    assert (wrong.status_code, wrong.json()["code"]) == (400, 3)
    assert client.get(f"/__api__/applications/{made['id']}").json()["owner_username"] == "amara.okoye"
