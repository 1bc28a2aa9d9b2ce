"""What the unversioned protocol calls an application (connect-wire-api §3.5, §4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pilothouse.base.access import Share
from pilothouse.connect_api.shapes.content import ROLE_OF_SHARE, SETTABLE, dashboard_url
from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Bundle, Content
from pilothouse.identity.models import User
from pilothouse.tasks import TaskView

#: The unversioned protocol numbers the app modes (connect-wire-api §4.3); the place in this list is the number.
APP_MODES = (
    "unknown", "shiny", "rmd-shiny", "rmd-static", "static", "api", "tensorflow-saved-model", "jupyter-static", "python-api",
    "python-dash", "python-streamlit", "python-bokeh", "python-fastapi", "quarto-shiny", "quarto-static", "python-shiny",
    "jupyter-voila", "python-gradio", "python-panel", "", "nodejs",
)  # fmt: skip


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
        "dashboard_url": dashboard_url(row, public_url),
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


def legacy_bundle(row: Bundle, *, content: Content) -> dict[str, Any]:
    return {
        "id": row.id,
        "app_id": content.id,
        "user_id": row.created_by_id,
        "created_time": moment(row.created_at),
        "updated_time": moment(row.created_at),
        "is_active": content.bundle_id == row.id,
        "size": row.size_bytes,
        "archive_md5": row.archive_md5,
        "archive_sha1": row.archive_sha1,
    }


def legacy_task(view: TaskView) -> dict[str, Any]:
    """``last_status`` is what to ask for next."""
    return {
        "id": view.key,
        "user_id": view.actor_id or 0,
        "status": list(view.lines),
        "result": None,
        "finished": view.is_finished,
        "code": view.code,
        "error": view.error,
        "last_status": view.last,
    }


def legacy_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job of `shapes.job` with its numbers as numbers and its times in seconds since 1970."""
    numbers = {name: int(job[name]) if str(job[name]).isdigit() else 0 for name in LEGACY_NUMBERS}
    return {**job, **numbers, **{name: _seconds(job[name]) for name in LEGACY_TIMES}}


LEGACY_NUMBERS = ("id", "pid", "ppid", "app_id", "content_id", "variant_id", "bundle_id")
LEGACY_TIMES = ("start_time", "end_time", "last_heartbeat_time", "queued_time")


def _seconds(at: str | None) -> int | None:
    return None if at is None else int(datetime.fromisoformat(at).timestamp())
