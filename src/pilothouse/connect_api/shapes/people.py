"""Users, groups and keys (connect-wire-api §3.5)."""

from __future__ import annotations

from typing import Any

from pilothouse.base.access import Share
from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Access, Content
from pilothouse.identity.models import ApiKey, Group, User


def user(row: User) -> dict[str, Any]:
    return {
        "guid": row.guid,
        "username": row.username,
        "email": row.email,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "user_role": row.role,
        "created_time": moment(row.created_at),
        "updated_time": moment(row.updated_at),
        "active_time": moment(row.active_at),
        "confirmed": row.confirmed,
        "locked": row.locked,
    }


def legacy_user(row: User) -> dict[str, Any]:
    return {"id": row.id, **user(row)}


def group(row: Group, owner_guid: str | None) -> dict[str, Any]:
    return {"guid": row.guid, "name": row.name, "owner_guid": owner_guid}


def group_content(content: Content, line: Access, row: Group) -> dict[str, Any]:
    """One item that is open to a group (connect-wire-api §2.1)."""
    return {
        "content_guid": content.guid,
        "content_name": content.name,
        "content_title": content.title,
        "access_type": content.access_type,
        "permissions": [
            {
                "principal_guid": row.guid,
                "principal_name": row.name,
                "principal_role": "viewer" if line.share == Share.VIEWER else "owner",
                "principal_type": "group",
            }
        ],
    }


def key(row: ApiKey) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "created_time": moment(row.created_at)}
