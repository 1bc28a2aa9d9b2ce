"""The OpenAPI document of the protocol: every row that is served is in it, with all that a reader needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.factories.control_plane import Asked, control_plane

from pilothouse.app.control_plane import wire_of
from pilothouse.app.dashboard import dashboard
from pilothouse.connect_api.application import application
from pilothouse.connect_api.nouns import NOUNS
from pilothouse.connect_api.rows import all_rows, answered, shape
from pilothouse.connect_api.rows.parameters import PLACES, QUESTIONS
from pilothouse.db import Database

DOCUMENT = "/__docs__/api/openapi.json"


@pytest.fixture
def server(sqlite_database: Database, tmp_path: Path) -> Iterator[Asked]:
    made = control_plane(tmp_path / "home", sqlite_database)
    yield made
    made.database.close()


def described(server: Asked) -> dict[str, Any]:
    answer = server.client().get(DOCUMENT)
    assert answer.status_code == 200
    return dict(answer.json())


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {shape(path)}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    }


def test_every_row_that_is_served_is_described(server: Asked) -> None:
    house = server.plane.house
    served = answered(application(wire_of(house)), dashboard(house))
    wanted = {row.name for row in all_rows() if not row.refused and (row.key in served or not row.is_routed)}
    assert set(operations(described(server))) == wanted


def test_every_row_says_what_it_is_for_and_every_parameter_what_it_means(server: Asked) -> None:
    found, names = operations(described(server)), set()
    for row, operation in found.items():
        assert operation["summary"] and operation["tags"], row
        for parameter in operation["parameters"]:
            names.add(parameter["name"])
            assert parameter["description"] and parameter["schema"] is not None, (row, parameter["name"])
    assert len({operation["operationId"] for operation in found.values()}) == len(found)
    assert (set(PLACES) | set(QUESTIONS)) - names == set(), "words for parameters that are not there"


def test_every_noun_is_named_by_a_row_and_is_strict(server: Asked) -> None:
    text = json.dumps(described(server))
    assert [name for name in NOUNS if f'"#/components/schemas/{name}"' not in text] == []
    loose = [
        name
        for name, noun in NOUNS.items()
        if noun.get("type") == "object" and noun["additionalProperties"] is not False
    ]
    assert loose == []


def test_what_needs_credentials_is_what_anonymous_callers_are_refused(server: Asked) -> None:
    """The document takes it from the routes; here the server is asked."""
    client, found = server.client(), operations(described(server))
    for row in all_rows():
        if row.refused or row.at_root or row.method != "GET" or "{" in row.path:
            continue
        security = found[row.name]["security"]
        is_open = not security or {} in security
        assert (client.get(f"/__api__{row.path}").status_code == 401) is not is_open, row.name


def test_the_document_is_of_openapi_3_1_and_names_this_server(server: Asked) -> None:
    document = described(server)
    assert document["openapi"] == "3.1.0" and document["servers"] == [{"url": "http://localhost:3939/__api__"}]
    assert document["paths"]["/__ping__"]["servers"] == [{"url": "http://localhost:3939"}]
    elsewhere = server.client().get(f"/prod{DOCUMENT}").json()
    assert elsewhere["servers"] == [{"url": "http://localhost:3939/prod/__api__"}]
    assert elsewhere["paths"]["/oauth/v1/token"]["servers"] == [{"url": "http://localhost:3939/prod"}]


def test_the_page_shows_every_endpoint_with_a_command(server: Asked) -> None:
    _, client = server.person()
    page = client.get("/__docs__/api")
    assert page.status_code == 200 and "cdn" not in page.text.lower()
    shown = re.sub("<wbr>|</?em>", "", page.text)
    for path in described(server)["paths"]:
        assert f">{path}<" in shown, path
    assert shown.count("curl ") >= len(operations(described(server)))
    assert "/__login__" in server.client().get("/__docs__/api", follow_redirects=False).headers["location"]
