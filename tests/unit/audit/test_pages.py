"""The audit trail as a page."""

from __future__ import annotations

from fastapi import FastAPI
from tests.factories.pages_app import Visitor, publish


def test_the_audit_is_filtered_by_event_and_person_and_exported(app: FastAPI, visitor: Visitor) -> None:
    publish(app, "amara.okoye", "Plant monitor")
    visitor.sign_in("jonas.brandt")
    assert "content:content:created" in visitor.get("/_/admin/audit").text.split("<tbody>")[1]
    rows = visitor.get("/_/admin/audit?event=identity:&who=jonas.brandt").text.split("<tbody>")[1]
    assert "identity:login:started" in rows and "content:" not in rows
    assert "Nobody has the user name" in visitor.get("/_/admin/audit?who=nobody").text
    table = visitor.get("/_/admin/audit/export?event=content:").text.splitlines()
    assert table[0].startswith("id,at,name") and len(table) == 4 and "veridia" not in "".join(table)
