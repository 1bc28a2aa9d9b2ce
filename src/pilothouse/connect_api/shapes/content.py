"""Content, its access list and its path (connect-wire-api §3.4, §3.5)."""

from __future__ import annotations

from typing import Any

from pilothouse.base.access import Share
from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Access, Content, Vanity
from pilothouse.identity.models import Group, User

ROLE_OF_SHARE = {Share.OWNER: "owner", Share.EDITOR: "editor", Share.VIEWER: "viewer", Share.NONE: "none"}
SHARE_OF_ROLE = {"owner": Share.EDITOR, "viewer": Share.VIEWER}

#: Fields that clients may set with PATCH, by the name they have both on the wire and in our table.
SETTABLE = (
    "connection_timeout", "read_timeout", "init_timeout", "idle_timeout", "max_processes", "min_processes",
    "max_conns_per_process", "load_factor", "cpu_request", "cpu_limit", "memory_request", "memory_limit", "amd_gpu_limit",
    "nvidia_gpu_limit", "run_as", "run_as_current_user", "service_account_name", "default_image_name",
    "default_environment_guid", "default_r_environment_management", "default_py_environment_management",
)  # fmt: skip


def content(row: Content, *, owner_guid: str, share: Share, public_url: str) -> dict[str, Any]:
    """``public_url`` is the stage's base without trailing slash."""
    return {
        "guid": row.guid,
        "name": row.name,
        "title": row.title,
        "id": str(row.id),
        "description": row.description,
        "content_category": row.category,
        "access_type": row.access_type,
        "locked": row.locked,
        "locked_message": row.locked_message,
        "extension": False,
        **{name: getattr(row, name) for name in SETTABLE},
        "load_group": row.load_group,
        "requests_per_minute": row.requests_per_minute,
        "environment_guid": None,
        "cluster_name": "Local",
        "image_name": None,
        "r_environment_management": row.default_r_environment_management,
        "py_environment_management": row.default_py_environment_management,
        "created_time": moment(row.created_at),
        "last_deployed_time": moment(row.last_deployed_at),
        "bundle_id": None if row.bundle_id is None else str(row.bundle_id),
        "app_mode": row.app_mode,
        "parameterized": row.parameterized,
        "r_version": row.r_version,
        "py_version": row.py_version,
        "quarto_version": row.quarto_version,
        "node_version": row.node_version,
        "owner_guid": owner_guid,
        "app_role": ROLE_OF_SHARE[share],
        "content_url": f"{public_url}/content/{row.guid}/",
        "dashboard_url": dashboard_url(row, public_url),
        "draft_marker_enabled": False,
        "metrics_collection_enabled": True,
        "notify_on_share": False,
        "otel_enabled": False,
        "public_content_status": None,
    }


def dashboard_url(row: Content, public_url: str) -> str:
    """Where people look after it. Clients append ``/access``, ``/logs`` or ``/draft/{id}``."""
    return f"{public_url}/connect/#/apps/{row.guid}"


def permission(row: Access, *, content_guid: str, principal: User | Group) -> dict[str, Any]:
    is_user = isinstance(principal, User)
    return {
        "id": str(row.id),
        "content_guid": content_guid,
        "principal_guid": principal.guid,
        "principal_name": principal.username if isinstance(principal, User) else principal.name,
        "principal_type": "user" if is_user else "group",
        "role": "owner" if row.share == Share.EDITOR else "viewer",
    }


def vanity(row: Vanity, *, content: Content) -> dict[str, Any]:
    return {"content_guid": content.guid, "path": row.path, "created_time": moment(row.created_at)}
