"""Images, which the wire calls environments (connect-wire-api §3.5)."""

from __future__ import annotations

from typing import Any

from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Image, ImageAccess
from pilothouse.identity.models import Group, User


def image(row: Image) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "guid": row.guid,
        "created_time": moment(row.created_at),
        "updated_time": moment(row.updated_at),
        "title": row.title,
        "description": row.description,
        "cluster_name": row.cluster_name,
        "name": row.name,
        "environment_type": row.kind,
        "matching": row.matching,
        "supervisor": row.supervisor,
        "managed_by": None,
        **{language: row.document.get(language) for language in ("python", "quarto", "r", "tensorflow", "nodejs")},
        "volume_mounts": row.document.get("volume_mounts", []),
    }


def image_access(line: ImageAccess, row: Image, who: User | Group) -> dict[str, Any]:
    return {
        "guid": line.guid,
        "environment_guid": row.guid,
        "user_guid": who.guid if isinstance(who, User) else None,
        "group_guid": who.guid if isinstance(who, Group) else None,
        "created_time": moment(line.created_at),
    }
