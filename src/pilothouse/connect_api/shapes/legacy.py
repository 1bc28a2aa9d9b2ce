"""What the unversioned protocol calls an application (connect-wire-api §3.5, §4.3)."""

from __future__ import annotations

from typing import Any

from pilothouse.base.access import Share
from pilothouse.connect_api.shapes.content import ROLE_OF_SHARE, SETTABLE
from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Content
from pilothouse.identity.models import User

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
