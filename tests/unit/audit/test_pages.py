"""The audit trail as a page."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish

from pilothouse.base import clock


def test_the_audit_is_filtered_by_event_and_person_and_exported(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("jonas.brandt")
    assert "content:content:created" in visitor.get("/_/admin/audit").text.split("<tbody>")[1]
    rows = visitor.get("/_/admin/audit?event=identity:&who=jonas.brandt").text.split("<tbody>")[1]
    assert "identity:login:started" in rows and "content:" not in rows
    assert "Nobody has the user name" in visitor.get("/_/admin/audit?who=nobody").text
    table = visitor.get("/_/admin/audit/export?event=content:").text.splitlines()
    assert table[0].startswith("id,at,name") and len(table) == 4 and "veridia" not in "".join(table)


def test_the_audit_is_filtered_by_day_and_by_thing_and_keeps_what_was_typed(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    publish(app, "amara.okoye", "Mixing explorer")
    visitor.sign_in("jonas.brandt")
    today = clock.now()
    page = visitor.get(f"/_/admin/audit?about=content/2&since={today:%Y-%m-%d}&until={today:%Y-%m-%d}").text
    rows = page.split("<tbody>")[1]
    assert "about=content%2F2" in rows and ">content/1<" not in rows and 'value="content/2"' in page
    assert "No such events" in visitor.get(f"/_/admin/audit?until={today - timedelta(days=1):%Y-%m-%d}").text
    lines = visitor.get("/_/admin/audit/export?about=content/2&form=jsonl").text.splitlines()
    assert lines and all(json.loads(line)["subject_id"] == 2 for line in lines)


@pytest.mark.parametrize("query", ["about=4", "about=content/x", "since=yesterday", "until=2026-02-31", "who=nobody"])
def test_a_filter_that_is_not_valid_says_so_and_exports_nothing(visitor: Visitor, query: str) -> None:
    visitor.sign_in("jonas.brandt")
    assert 'role="alert"' in visitor.get(f"/_/admin/audit?{query}").text
    assert visitor.get(f"/_/admin/audit/export?{query}").status_code == 422
