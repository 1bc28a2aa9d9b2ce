"""The list of the protocol's rows, which the reference page shows, is what the server does."""

from __future__ import annotations

import re

import pytest
from tests.factories.control_plane import Asked

from pilothouse.app.control_plane import wire_of
from pilothouse.app.dashboard import dashboard
from pilothouse.base.ids import new_guid
from pilothouse.connect_api.application import application
from pilothouse.connect_api.rows import Row, all_rows, answered


def test_no_row_stands_there_twice() -> None:
    keys = [row.key for row in all_rows()]
    assert len(keys) == len(set(keys))


def test_every_endpoint_of_the_protocol_has_its_row(server: Asked) -> None:
    house = server.plane.house
    protocol = {key for key in answered(application(wire_of(house)), dashboard(house)) if not key[1]}
    assert protocol - {row.key for row in all_rows()} == set()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_refused_says_why(server: Asked) -> None:
    _, client = server.person()
    refused = [row for row in all_rows() if row.refused]
    assert refused
    for row in refused:
        answer = client.request(row.method, f"/__api__{filled(row)}", json={})
        assert (answer.status_code, answer.json()["code"]) == (404, 4), row
        assert row.refused in answer.json()["error"]


def test_what_no_application_answers_is_answered_before_them(server: Asked) -> None:
    for row in all_rows():
        if not row.is_routed:
            assert row.at_root
            assert server.client().request(row.method, row.path).status_code == 200


def filled(row: Row) -> str:
    return re.sub(r"\{[^}]*guid[^}]*\}", new_guid(), row.path).replace("{id}", "1").replace("{key}", "k")
