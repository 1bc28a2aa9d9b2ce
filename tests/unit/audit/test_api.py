"""Our own API for the audit trail, and its files."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import pytest
from fastapi.testclient import TestClient
from tests.factories.api import api_app, client_of

from pilothouse.audit.api import router
from pilothouse.audit.contract import People
from pilothouse.audit.service import AuditFilter, export, record
from pilothouse.audit.service.files import csv_line
from pilothouse.base.access import ANONYMOUS, SYSTEM, Principal, ResourceRef, Role
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.db import Database

PATH = "/api/v1/audit/events"
PUBLISHER = Principal(2, Role.PUBLISHER)
NASTY = '=HYPERLINK("http://evil.example")\x1b[2J'


@pytest.fixture
def admin(database: Database) -> TestClient:
    return client_of(api_app(database, router), SYSTEM)


def happen(database: Database, count: int = 3, name: str = "Plant 4") -> None:
    with database.write() as tx:
        for n in range(1, count + 1):
            record(tx, SYSTEM, "identity:group:created", ResourceRef("group", n), after={"name": name})


def test_events_come_newest_first_and_are_paged_back(admin: TestClient, database: Database) -> None:
    happen(database, 5)
    first = admin.get(PATH, params={"limit": 2}).json()
    second = admin.get(PATH, params={"limit": 2, "before_id": first[-1]["id"]}).json()
    assert [e["id"] for e in first + second] == [5, 4, 3, 2]
    assert first[0]["changes"] == {"name": [None, "Plant 4"]}
    assert first[0]["at"].endswith(("Z", "+00:00"))


def test_events_are_filtered(admin: TestClient, database: Database) -> None:
    happen(database)
    for query, expected in (
        ("name=identity:group", [3, 2, 1]),
        ("name=content:", []),
        ("subject=group/2", [2]),
        ("actor_id=7", []),
        ("since=2020-01-01T00:00:00Z", [3, 2, 1]),
        ("until=2020-01-01T00:00:00Z", []),
    ):
        assert [e["id"] for e in admin.get(f"{PATH}?{query}").json()] == expected, query


def test_events_of_a_person_are_asked_for_by_user_name(database: Database) -> None:
    app = api_app(database, router)
    app.state.people = People(lambda tx, ids: {}, lambda tx, name: 2 if name == "amara.okoye" else None)
    with database.write() as tx:
        record(tx, PUBLISHER, "content:content:created", ResourceRef("content", 1), after={"name": "plan"})
    happen(database, 1)
    admin = client_of(app, SYSTEM)
    assert [e["actor_id"] for e in admin.get(PATH, params={"actor": "amara.okoye"}).json()] == [2]
    assert len(admin.get(PATH, params={"actor": "amara.okoye", "export": "jsonl"}).text.splitlines()) == 1
    refused = admin.get(PATH, params={"actor": "nobody", "export": "csv"})
    assert (refused.status_code, refused.json()["code"]) == (404, "audit/actor-unknown")
    assert client_of(app, PUBLISHER).get(PATH, params={"actor": "nobody"}).status_code == 403


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "subject=group", "subject=group/x", "subject=../1", "export=xml", "since=yesterday",
     f"subject=group/{10**30}", f"actor_id={10**30}", f"before_id={10**30}"],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(admin: TestClient, query: str) -> None:
    assert admin.get(f"{PATH}?{query}").status_code == 422


@pytest.mark.parametrize(
    "query", [f"actor_id={2**31}", f"subject=group/{10**17}", "name=%00", "since=2026-03-02T12:00:00"]
)
def test_odd_questions_find_nothing_worse_than_nothing(admin: TestClient, query: str) -> None:
    assert admin.get(f"{PATH}?{query}").status_code in (200, 422)


@pytest.mark.parametrize("form", ["", "?export=csv", "?export=jsonl"])
def test_the_trail_is_denied_to_all_but_administrators(sqlite_database: Database, form: str) -> None:
    app = api_app(sqlite_database, router)
    assert client_of(app, PUBLISHER).get(PATH + form).status_code == 403
    assert client_of(app).get(PATH + form).status_code == 401


@pytest.mark.parametrize(("actor", "error"), [(PUBLISHER, Denied), (ANONYMOUS, NotAuthenticated)])
def test_an_export_is_denied_before_its_first_line(
    sqlite_database: Database, actor: Principal, error: type[Exception]
) -> None:
    with pytest.raises(error):
        export(sqlite_database, actor, filters=AuditFilter(), form="csv")


def test_a_file_holds_all_events_whatever_the_page(
    database: Database, admin: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.audit.service.files.PAGE", 4)
    happen(database, 10)
    answer = admin.get(f"{PATH}?export=jsonl&limit=2")
    ids = [json.loads(line)["id"] for line in answer.text.splitlines()]
    assert len(ids) == 10 and all(a > b for a, b in pairwise(ids))
    table = list(csv.reader(io.StringIO(admin.get(f"{PATH}?export=csv").text)))
    assert table[0][:3] == ["id", "at", "name"] and len(table) == 11
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'


def test_files_hold_no_control_character(sqlite_database: Database) -> None:
    happen(sqlite_database, 1, NASTY)
    for form in ("csv", "jsonl"):
        assert "\x1b" not in client_of(api_app(sqlite_database, router), SYSTEM).get(f"{PATH}?export={form}").text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), (" =1", "' =1"), ("\t=1", "\\t=1"), ("a\r\nb", "a\\r\\nb"),
        (-5, "-5"), (None, ""), ("Ångström", "Ångström"), ("a,b", '"a,b"'), ("\u202egnp", "\\u202egnp"), ("", ""),
    ],
)  # fmt: skip
def test_a_cell_is_text_and_nothing_else(value: object, cell: str) -> None:
    assert csv_line("first", value) == f"first,{cell}\r\n"
