"""What nobody may do with content, and what can't be read: always the wire's error, never a page and never a 5xx."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import update
from tests.factories.content import make, upload
from tests.factories.control_plane import Asked

from pilothouse.base import clock
from pilothouse.base.access import Role
from pilothouse.base.ids import new_guid
from pilothouse.identity.models import ApiKey

#: Reads and writes that need more than a viewer's share; ``{guid}`` and ``{number}`` are the content's, ``{bundle}`` its bundle's.
CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "v1/content/{guid}", {"title": "Mine"}),
    ("PATCH", "v1/content/{guid}", {"access_type": "all"}),
    ("DELETE", "v1/content/{guid}", None),
    ("POST", "v1/content/{guid}/deploy", {"bundle_id": "{bundle}"}),
    ("POST", "v1/content/{guid}/build", {}),
    ("DELETE", "v1/content/{guid}/bundles/{bundle}", None),
    ("GET", "v1/content/{guid}/bundles/{bundle}/download", None),
    ("GET", "v1/content/{guid}/environment", None),
    ("PATCH", "v1/content/{guid}/environment", [{"name": "A", "value": "b"}]),
    ("PUT", "v1/content/{guid}/environment", []),
    ("POST", "v1/content/{guid}/permissions", {"principal_guid": "{user}", "principal_type": "user", "role": "owner"}),
    ("PUT", "v1/content/{guid}/vanity", {"path": "mine"}),
    ("DELETE", "v1/content/{guid}/vanity", None),
    ("GET", "v1/content/{guid}/packages", None),
    ("GET", "v1/content/{guid}/lockfile", None),
    ("GET", "v1/content/{guid}/jobs", None),
    ("GET", "v1/content/{guid}/jobs/nothing", None),
    ("GET", "v1/content/{guid}/jobs/nothing/log", None),
    ("DELETE", "v1/content/{guid}/jobs/nothing", None),
    ("PUT", "v1/content/{guid}/thumbnail", None),
    ("DELETE", "v1/content/{guid}/thumbnail", None),
    ("POST", "applications/{number}", {"title": "Mine"}),
    ("POST", "applications/{number}/deploy", {"bundle": None}),
    ("POST", "applications/{guid}/image", None),
    ("GET", "applications/{guid}/jobs", None),
]  # fmt: skip


def asked(client: TestClient, method: str, path: str, body: Any, **known: str) -> tuple[int, int]:
    filled = body
    if isinstance(body, dict):
        filled = {n: v.format(**known) if isinstance(v, str) and v.startswith("{") else v for n, v in body.items()}
    answer = client.request(method, f"/__api__/{path.format(**known)}", json=filled)
    assert answer.headers["content-type"].startswith("application/json"), path
    assert set(answer.json()) == {"code", "error", "payload"}, path
    return answer.status_code, answer.json()["code"]


def test_only_who_may_change_content_changes_it(server: Asked) -> None:
    _, client = server.person()
    viewer, views = server.person("lena.fischer", Role.VIEWER)
    _, stranger = server.person("jonas.weber")
    made = make(client)
    known = {
        "guid": made["guid"],
        "number": made["id"],
        "bundle": upload(client, made["guid"])["id"],
        "user": viewer.guid,
    }
    share = {"principal_guid": viewer.guid, "principal_type": "user", "role": "viewer"}
    client.post(f"/__api__/v1/content/{made['guid']}/permissions", json=share)
    for method, path, body in CHANGES:
        assert asked(views, method, path, body, **known) == (403, 22), (method, path)
        assert asked(stranger, method, path, body, **known) == (404, 4), (method, path)
        assert asked(server.client(), method, path, body, **known) == (401, 30), (method, path)
    assert client.get(f"/__api__/v1/content/{made['guid']}").json() == made


def test_a_viewer_who_is_named_as_editor_still_publishes_nothing(server: Asked) -> None:
    _, client = server.person()
    viewer, views = server.person("lena.fischer", Role.VIEWER)
    guid = make(client)["guid"]
    share = {"principal_guid": viewer.guid, "principal_type": "user", "role": "owner"}
    client.post(f"/__api__/v1/content/{guid}/permissions", json=share)
    assert views.get(f"/__api__/v1/content/{guid}/jobs").status_code == 200
    assert asked(views, "PATCH", "v1/content/{guid}", {"title": "Mine"}, guid=guid) == (403, 22)
    assert asked(views, "POST", "v1/content", {"name": "mine"}) == (403, 22)


def test_ids_that_are_none_say_which(server: Asked) -> None:
    _, client = server.person()
    made = make(client)
    for path in (
        "v1/content/not-a-guid",
        "v1/content/NOT-A-GUID/bundles",
        "v1/content/not-a-guid/jobs",
        "v1/content/not-a-guid/packages",
    ):
        answer = client.get(f"/__api__/{path}")
        assert (answer.status_code, answer.json()["code"]) == (400, 3), path
        assert path.split("/")[2] in answer.json()["error"]
    guid = made["guid"]
    for path in (
        f"v1/content/{guid}/bundles/twelve",
        "applications/twelve",
        f"v1/content/{guid}/bundles/-1",
        "applications/not-a-guid",
        f"applications/{10**30}",
    ):
        answer = client.get(f"/__api__/{path}")
        assert (answer.status_code, answer.json()["code"]) == (400, 3), path
        assert path.rsplit("/", 1)[1] in answer.json()["error"]
    for number in (2**63, 2**64, -1, 1.5, True, [], {}, "x" * 5000):
        assert asked(client, "POST", "v1/content/{guid}/deploy", {"bundle_id": number}, guid=guid) == (400, 3), number


def test_what_does_not_exist_is_not_found(server: Asked) -> None:
    _, client = server.person()
    guid, other = make(client)["guid"], make(client)["guid"]
    bundle = upload(client, other)["id"]
    for path in (
        f"v1/content/{new_guid()}", f"v1/content/{new_guid()}/jobs", f"v1/content/{guid}/bundles/99", f"v1/content/{guid}/bundles/{bundle}",
        f"v1/content/{guid}/jobs/none", f"v1/content/{guid}/permissions/99", f"v1/content/{guid}/lockfile", "applications/99", "v1/tasks/none",
        "tasks/none", f"applications/{new_guid()}", f"v1/content/{guid}/bundles/{2**62}", "v1/nothing", f"v1/content/{guid}/nothing",
    ):  # fmt: skip
        answer = client.get(f"/__api__/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, 4), path
    assert asked(client, "POST", "v1/content/{guid}/deploy", {}, guid=guid) == (404, 4)


def test_bodies_that_can_not_be_read_are_refused(server: Asked) -> None:
    _, client = server.person()
    guid = make(client)["guid"]
    for body in (
        b"{",
        b"[]",
        b'"text"',
        b"12",
        b"null,",
        b'{"title": "a\\u0000b"}',
        b"\xff\xfe",
        b'{"title": "\\ud800"}',
    ):
        answer = client.patch(f"/__api__/v1/content/{guid}", content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, 101), body
    big = client.patch(f"/__api__/v1/content/{guid}", content=b'{"title": "' + b"a" * 10 * 1024 * 1024 + b'"}')
    assert (big.status_code, big.json()["code"]) == (400, 101)
    for variables in (
        {"name": "A"},
        [{"value": "b"}],
        ["A"],
        [{"name": 1, "value": "b"}],
        [{"name": "A", "value": 1}],
        None,
    ):
        answer = client.patch(f"/__api__/v1/content/{guid}/environment", json=variables)
        assert answer.status_code == 400, variables


def test_queries_that_mean_nothing_are_refused(server: Asked) -> None:
    _, client = server.person()
    for path in (
        "v1/search/content?page_number=0", "v1/search/content?page_number=-1", f"v1/search/content?page_number={10**30}",
        "v1/search/content?page_size=0", "v1/search/content?page_size=501", "v1/search/content?q=%00", "v1/content?name=%00",
        "v1/packages?page_number=0", "v1/packages?page_size=1000001", "applications?count=-1", f"applications?count={10**30}",
        "applications?filter=name:%00", "applications?start=-1", f"applications?start={10**30}", "tasks/x?first_status=-1",
        f"v1/tasks/x?first={10**30}", "v1/tasks/x?wait=-1", "v1/tasks/x?first=many",
    ):  # fmt: skip
        answer = client.get(f"/__api__/{path}")
        assert (answer.status_code, answer.json()["code"]) == (400, 101), path


def test_names_are_short_plain_and_one_owners_only_once(server: Asked) -> None:
    _, client = server.person()
    for name in ("ab", "a" * 65, "with space", "ümlaut", "a/b", "a.b"):
        answer = client.post("/__api__/v1/content", json={"name": name})
        assert (answer.status_code, answer.json()["code"]) == (400, 101), name
    make(client, "report")
    again = client.post("/__api__/v1/content", json={"name": "report"})
    assert (again.status_code, again.json()["code"]) == (409, 102)
    other = make(client, "other")
    assert client.patch(f"/__api__/v1/content/{other['guid']}", json={"name": "report"}).status_code == 409
    assert make(client)["name"] != make(client, "")["name"]


def test_names_of_variables_have_no_spaces(server: Asked) -> None:
    _, client = server.person()
    path = f"/__api__/v1/content/{make(client)['guid']}/environment"
    for name in ("WITH SPACE", "1ST", "", "A=B", "ümlaut"):
        assert client.patch(path, json=[{"name": name, "value": "x"}]).status_code == 400, name
    assert client.patch(path, json=[{"name": n, "value": "x"} for n in ("_B", "A")]).json() == ["A", "_B"]
    assert client.get(path).json() == ["A", "_B"]
    assert client.patch(path, json=[{"name": "A", "value": None}]).json() == ["_B"]
    assert client.put(path, json=[]).json() == []


def test_a_key_that_has_expired_opens_nothing(server: Asked) -> None:
    user, client = server.person()
    guid = make(client)["guid"]
    with server.database.write() as tx:
        tx.execute(
            update(ApiKey).where(ApiKey.user_id == user.id).values(expires_at=clock.now() - timedelta(seconds=1))
        )
    server.plane.house.watch.wake()
    assert asked(client, "GET", "v1/content/{guid}", None, guid=guid) == (401, 30)


def test_locked_content_takes_no_bundles(server: Asked) -> None:
    _, client = server.person(role=Role.ADMINISTRATOR)
    made = make(client)
    bundle = upload(client, made["guid"])["id"]
    client.patch(f"/__api__/v1/content/{made['guid']}", json={"locked": True, "locked_message": "Audit until Monday."})
    for path, body in (
        (f"v1/content/{made['guid']}/deploy", {"bundle_id": bundle}),
        (f"v1/content/{made['guid']}/build", {}),
    ):
        answer = client.post(f"/__api__/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, 102)
        assert "Audit until Monday." in answer.json()["error"]
    assert client.post(f"/__api__/v1/content/{made['guid']}/bundles", content=b"x").status_code == 409
