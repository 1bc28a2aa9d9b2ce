"""Tags (connect-wire-api §3.5): clients compare the list of keys."""

from __future__ import annotations

from typing import Any

from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Tag


def tag(row: Tag) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "parent_id": str(row.parent_id) if row.parent_id is not None else None,
        "created_time": moment(row.created_at),
        "updated_time": moment(row.updated_at),
    }
