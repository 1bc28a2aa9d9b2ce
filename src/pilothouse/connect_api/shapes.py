"""How our nouns look on the wire (connect-wire-api §3.3 to §3.5). All keys are always there; unknown is null."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pilothouse.base.access import Share
from pilothouse.content.models import Access, Bundle, Content, Vanity, Variable
from pilothouse.identity.models import ApiKey, Group, User
from pilothouse.launcher.models import Job

ROLE_OF_SHARE = {Share.OWNER: "owner", Share.EDITOR: "editor", Share.VIEWER: "viewer", Share.NONE: "none"}
SHARE_OF_ROLE = {"owner": Share.EDITOR, "viewer": Share.VIEWER}

#: Fields that clients may set with PATCH, by the name they have both on the wire and in our table.
SETTABLE = (
    "connection_timeout", "read_timeout", "init_timeout", "idle_timeout", "max_processes", "min_processes",
    "max_conns_per_process", "load_factor", "cpu_request", "cpu_limit", "memory_request", "memory_limit", "amd_gpu_limit",
    "nvidia_gpu_limit", "run_as", "run_as_current_user", "service_account_name", "default_image_name",
    "default_environment_guid", "default_r_environment_management", "default_py_environment_management",
)  # fmt: skip


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with ``Z``."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


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
        "dashboard_url": f"{public_url}/connect/#/apps/{row.guid}",
    }


def legacy_content(
    row: Content, *, owner: User, share: Share, public_url: str, vanity: str | None = None
) -> dict[str, Any]:
    """The unversioned object that numeric ids still lead to. ``vanity`` is its path below the stage, if it has one."""
    return {
        "id": row.id,
        "guid": row.guid,
        "name": row.name,
        "title": row.title,
        "description": row.description,
        "access_type": row.access_type,
        **{name: getattr(row, name) for name in SETTABLE},
        "url": f"{public_url}{vanity}" if vanity else f"{public_url}/content/{row.guid}/",
        "dashboard_url": f"{public_url}/connect/#/apps/{row.guid}",
        "vanity_url": vanity is not None,
        "bundle_id": row.bundle_id,
        "app_mode": APP_MODES.index(row.app_mode) if row.app_mode in APP_MODES else 0,
        "content_category": row.category,
        "has_parameters": row.parameterized,
        "created_time": moment(row.created_at),
        "last_deployed_time": moment(row.last_deployed_at),
        "build_status": 2,
        "cluster_name": "Local",
        "image_name": None,
        "r_version": row.r_version,
        "py_version": row.py_version,
        "quarto_version": row.quarto_version,
        "app_role": ROLE_OF_SHARE[share],
        "owner_first_name": owner.first_name,
        "owner_last_name": owner.last_name,
        "owner_username": owner.username,
        "owner_guid": owner.guid,
        "owner_email": owner.email,
        "owner_locked": owner.locked,
        "is_scheduled": False,
        "git": None,
        "users": None,
        "groups": None,
        "vanities": None,
    }


#: The unversioned protocol numbers the app modes (connect-wire-api §4.3); the place in this list is the number.
APP_MODES = (
    "unknown", "shiny", "rmd-shiny", "rmd-static", "static", "api", "tensorflow-saved-model", "jupyter-static", "python-api",
    "python-dash", "python-streamlit", "python-bokeh", "python-fastapi", "quarto-shiny", "quarto-static", "python-shiny",
    "jupyter-voila", "python-gradio", "python-panel", "", "nodejs",
)  # fmt: skip


def bundle(row: Bundle, *, content: Content, created_by: User | None) -> dict[str, Any]:
    source: Mapping[str, Any] = row.source or {}
    return {
        "id": str(row.id),
        "content_guid": content.guid,
        "created_time": moment(row.created_at),
        "created_by": None if created_by is None else created_by.guid,
        "created_by_name": None if created_by is None else created_by.username,
        "created_by_user": created_by is not None,
        "cluster_name": "Local",
        "image_name": None,
        "environment_guid": None,
        "r_version": row.r_version,
        "r_environment_management": row.r_version is not None,
        "py_version": row.py_version,
        "py_environment_management": row.py_version is not None,
        "quarto_version": row.quarto_version,
        "active": content.bundle_id == row.id,
        "size": row.size_bytes,
        "metadata": {
            "source": source.get("source"),
            "source_repo": source.get("source_repo"),
            "source_branch": source.get("source_branch"),
            "source_commit": source.get("source_commit"),
            "archive_md5": row.archive_md5,
            "archive_sha1": row.archive_sha1,
        },
    }


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


def job(row: Job, *, content: Content) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "pid": "" if row.pid is None else str(row.pid),
        "ppid": "",
        "key": row.key,
        "remote_id": None,
        "app_id": str(content.id),
        "content_id": str(content.id),
        "content_guid": content.guid,
        "variant_id": "0",
        "bundle_id": "" if row.bundle_id is None else str(row.bundle_id),
        "start_time": moment(row.started_at or row.queued_at),
        "end_time": moment(row.ended_at),
        "last_heartbeat_time": moment(row.ended_at or row.started_at or row.queued_at),
        "queued_time": moment(row.queued_at),
        "queue_name": None,
        "tag": row.tag,
        "exit_code": row.exit_code,
        "status": 2 if row.ended_at else 0,
        "hostname": row.node,
        "cluster": row.cluster,
        "image": None,
        "run_as": row.run_as,
    }


def variables(rows: list[Variable]) -> list[str]:
    return sorted(row.name for row in rows)
