"""The OpenAPI document of the protocol: every row that is served is in it, and what it says of answers is true (fuzzed)."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.factories.archives import targz
from tests.factories.control_plane import Asked, control_plane

from pilothouse.base.access import Role
from pilothouse.connect_api.described.answers import ANSWERS, BODIES, FILES, UPLOADS
from pilothouse.connect_api.rows import all_rows, shape
from pilothouse.db import Database

schemathesis = pytest.importorskip(
    "schemathesis", reason="NOT EXERCISED: fuzzing of the protocol. Install schemathesis."
)
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
FailureGroup = schemathesis.core.failures.FailureGroup
DOCUMENT = "/__docs__/api/openapi.json"
#: Rows that are slow on purpose (failed sign-ins wait), or that end what the others ask about.
LEFT_OUT = frozenset({"POST /__login__"})
#: Rows that are in the document without what they answer. It only gets shorter.
NOT_DESCRIBED_YET = frozenset(
    f"{method} {path}"
    for methods, path in (line.split() for line in """
    POST,PUT /v1/users
    GET /v1/users/remote
    PUT /v1/users/{}
    POST /v1/users/{}/lock
    POST,PUT /v1/groups
    GET /v1/groups/remote
    GET,DELETE /v1/groups/{}
    GET,POST /v1/groups/{}/members
    DELETE /v1/groups/{}/members/{}
    GET /v1/experimental/groups/{}/content
    GET /v1/timezones
    GET /timezones
    GET,POST /v1/system/checks
    GET /v1/system/checks/{}
    GET /v1/system/checks/{}/results
    POST /v1/tasks/send-test-email
    GET,DELETE /v1/system/caches/runtime
    GET,POST /v1/content/{}/tags
    DELETE /v1/content/{}/tags/{}
    DELETE /v1/content/{}/repository
    GET,PUT /v1/content/{}/oauth/integrations/associations
    GET,POST /v1/tags
    GET,PATCH,DELETE /v1/tags/{}
    GET /v1/tags/{}/content
    GET /v1/instrumentation/content/visits
    GET /v1/instrumentation/shiny/usage
    GET /v1/instrumentation/content/hits
    GET /v1/audit_logs
    GET /metrics/procs
    GET,POST /v1/environments
    GET,PUT,DELETE /v1/environments/{}
    GET,POST /v1/environments/{}/permissions
    DELETE /v1/environments/{}/permissions/{}
    GET,POST /v1/oauth/integrations
    GET,PATCH,DELETE /v1/oauth/integrations/{}
    GET /v1/oauth/integrations/{}/associations
    GET /v1/oauth/templates
    GET /v1/oauth/templates/{}
    POST /v1/oauth/integrations/credentials
    GET /v1/oauth/sessions
    GET,DELETE /v1/oauth/sessions/{}
    GET /applications/{}/image
    """.strip().splitlines())
    for method in methods.split(",")
)  # fmt: skip
#: One run of everything takes some seconds; the same cases each time.
BOUNDS = settings(
    max_examples=6, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture
def server(sqlite_database: Database, tmp_path: Path) -> Iterator[Asked]:
    made = control_plane(tmp_path / "home", sqlite_database)
    yield made
    made.database.close()


def described(server: Asked) -> dict[str, Any]:
    answer = server.client().get(DOCUMENT)
    assert answer.status_code == 200
    return dict(answer.json())


def rows_of(document: dict[str, Any]) -> set[str]:
    return {f"{method.upper()} {shape(path)}" for path, item in document["paths"].items() for method in item}


def test_every_row_that_is_served_is_described(server: Asked) -> None:
    served = rows_of(described(server))
    assert sorted(served - set(ANSWERS) - NOT_DESCRIBED_YET) == [], "add a line to connect_api/described/answers.py"
    assert sorted(NOT_DESCRIBED_YET & set(ANSWERS)) == [], "described: take it off the list"
    known = {f"{row.method} {shape(row.path)}" for row in all_rows() if not row.at_root}
    assert served <= known, "a row that is missing in connect_api/rows.py"
    assert (set(ANSWERS) | set(BODIES) | set(FILES) | UPLOADS) <= served, "described, and not there"


def test_the_document_is_of_openapi_3_1_and_names_this_server(server: Asked) -> None:
    document = described(server)
    assert document["openapi"] == "3.1.0" and document["servers"] == [{"url": "http://localhost:3939/__api__"}]
    assert server.client().get(f"/prod{DOCUMENT}").json()["servers"] == [{"url": "http://localhost:3939/prod/__api__"}]


def test_the_page_shows_every_endpoint_with_a_command(server: Asked) -> None:
    _, client = server.person()
    page = client.get("/__docs__/api")
    assert page.status_code == 200 and "cdn" not in page.text.lower()
    for path in described(server)["paths"]:
        assert path in page.text, path
    assert "/__login__" in server.client().get("/__docs__/api", follow_redirects=False).headers["location"]


class Known:
    """Things that are there, so that random ids do not only find nothing."""

    def __init__(self, server: Asked) -> None:
        owner, client = server.person("owner")
        self.content = client.post("/__api__/v1/content", json={"name": "known", "access_type": "logged_in"}).json()
        guid = self.content["guid"]
        manifest = {"version": 1, "metadata": {"appmode": "static", "primary_html": "index.html"}, "files": {}}
        archive = targz(("manifest.json", json.dumps(manifest).encode()), ("index.html", b"Ahoy"))
        self.bundle = client.post(f"/__api__/v1/content/{guid}/bundles", content=archive).json()
        self.task = client.post(f"/__api__/v1/content/{guid}/deploy", json={}).json()["task_id"]
        client.patch(f"/__api__/v1/content/{guid}/environment", json=[{"name": "A", "value": "b"}])
        other, _ = server.person("other", Role.VIEWER)
        grant = {"principal_guid": other.guid, "principal_type": "user", "role": "viewer"}
        self.grant = client.post(f"/__api__/v1/content/{guid}/permissions", json=grant).json()
        client.put(f"/__api__/v1/content/{guid}/vanity", json={"path": "known"})
        self.person = owner.guid

    def values(self, path: str, name: str) -> list[str]:
        guid = self.person if path.startswith("/v1/users") else self.content["guid"]
        found = {
            "guid": guid, "bundle_id": self.bundle["id"], "grant_id": self.grant["id"], "number": self.content["id"],
            "id": self.content["id"], "language": "python", "app_mode": "static", "key": self.task,
        }  # fmt: skip
        return [found.get(name, "1"), "0", "nonsense", "00000000-0000-4000-8000-000000000000"]


@pytest.mark.parametrize("who", ["administrator", "publisher", "viewer", "anonymous"])
def test_every_answer_is_as_described(server: Asked, who: str) -> None:
    known = Known(server)
    client = server.client() if who == "anonymous" else server.person("fuzzer", Role(who))[1]
    document = described(server)
    for path, item in document["paths"].items():  # fewer than one random id in a thousand would be one of ours
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": known.values(path, parameter["name"])}
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    operations.sort(key=lambda op: ("get", "post", "put", "patch", "delete").index(op.method.lower()))
    wrong = {}
    for operation in operations:
        row = f"{operation.method.upper()} {shape(operation.path)}"
        if row not in LEFT_OUT and (found := fuzzed(operation, client)):
            wrong[row] = found
    assert wrong == {}


def fuzzed(operation: Any, client: TestClient) -> str:
    """What is wrong with one row, with the request that showed it; empty if nothing was found."""

    @BOUNDS
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        asked = case.as_transport_kwargs(base_url="http://localhost:3939/__api__")
        fields = {name: value for name, value in dict(asked["headers"]).items() if name.lower() != "user-agent"}
        sent = {key: asked[key] for key in ("params", "json") if asked.get(key) is not None}
        if asked.get("data") is not None:
            sent["content"] = asked["data"]
        answer = client.request(asked["method"], asked["url"], headers=fields, **sent)
        assert "html" not in answer.headers.get("content-type", ""), asked
        case.validate_response(answer, checks=[
            schemathesis.checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
            checks.response_schema_conformance,
        ])  # fmt: skip

    try:
        run()
    except (Exception, FailureGroup) as error:
        return f"{type(error).__name__}: {error}"[:2000]
    return ""


@BOUNDS
@given(
    words=st.lists(
        st.text(string.ascii_letters + string.digits + "-._~é%", min_size=1, max_size=12), min_size=1, max_size=5
    ),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
)
def nothing_there(client: TestClient, words: list[str], method: str) -> None:
    answer = client.request(method, "/__api__/v1/zz" + "/".join(words))
    assert 400 <= answer.status_code < 500, (method, words)
    assert method == "HEAD" or answer.json()["code"], (method, words)


@pytest.mark.parametrize("who", ["administrator", "anonymous"])
def test_a_path_that_is_not_there_never_succeeds(server: Asked, who: str) -> None:
    nothing_there(server.client() if who == "anonymous" else server.person("fuzzer", Role(who))[1])
