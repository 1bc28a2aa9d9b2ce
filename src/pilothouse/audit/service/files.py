"""The trail as a file: every event that a query finds, as CSV or as JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from pilothouse.audit.contract import as_line
from pilothouse.audit.models import Event
from pilothouse.audit.service.events import AuditFilter, events
from pilothouse.base.access import Permission, Principal, require
from pilothouse.db import Database

PAGE = 1000
COLUMNS = ("id", "at", "name", "actor_kind", "actor_id", "via", "subject_kind", "subject_id", "stage_id", "changes")


def export(database: Database, actor: Principal, *, filters: AuditFilter, form: str) -> Iterator[str]:
    """Lines of ``form`` ("csv" or "jsonl"), newest first, however many.

    The permission is asked for at once, not at the first line. Each page is read in a transaction of its own, so that a
    slow reader holds nothing.
    """
    require(actor, Permission.AUDIT_READ)
    return _csv(database, actor, filters) if form == "csv" else _json_lines(database, actor, filters)


def facts_of(event: Event) -> dict[str, Any]:
    """What an event says, ready for JSON."""
    return {name: getattr(event, name) for name in COLUMNS} | {"at": event.at.isoformat()}


def csv_line(*values: object) -> str:
    """One line of CSV. Control characters are escaped, and no cell begins with what a spreadsheet would calculate."""
    out = io.StringIO()
    csv.writer(out).writerow(_cell(value) for value in values)
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, dict):
        value = json.dumps(value)
    text = "" if value is None else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
    is_formula = text.lstrip().startswith(("=", "+", "-", "@")) and not isinstance(value, int)
    return f"'{text}" if is_formula else text


def _csv(database: Database, actor: Principal, filters: AuditFilter) -> Iterator[str]:
    yield csv_line(*COLUMNS)
    for event in _every(database, actor, filters):
        yield csv_line(*facts_of(event).values())


def _json_lines(database: Database, actor: Principal, filters: AuditFilter) -> Iterator[str]:
    for event in _every(database, actor, filters):
        yield as_line(facts_of(event)) + "\n"


def _every(database: Database, actor: Principal, filters: AuditFilter) -> Iterator[Event]:
    after: int | None = None
    while True:
        with database.read() as tx:
            found = events(tx, actor, filters=filters, after=after, limit=PAGE)
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1].id
