"""Users, groups and keys (connect-wire-api §3.5)."""

from __future__ import annotations

from typing import Any

from pilothouse.connect_api.shapes.moments import moment
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


def key(row: ApiKey) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "created_time": moment(row.created_at)}
