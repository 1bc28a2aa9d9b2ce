"""Use of content (connect-wire-api §3.5)."""

from __future__ import annotations

from typing import Any

from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.service import Used

#: Which facts a record holds, as the protocol counts the editions of its records: visits with their path are the third.
VISIT_VERSION, CONNECTION_VERSION = 3, 1


def visit(used: Used) -> dict[str, Any]:
    return {
        "content_guid": used.content_guid,
        "user_guid": used.visitor,
        "variant_key": None,
        "rendering_id": None,
        "bundle_id": used.event.bundle_id,
        "time": moment(used.event.started_at),
        "data_version": VISIT_VERSION,
        "path": used.path,
    }


def connection(used: Used) -> dict[str, Any]:
    """What the protocol calls usage of Shiny: any app that keeps a connection open."""
    return {
        "content_guid": used.content_guid,
        "user_guid": used.visitor,
        "started": moment(used.event.started_at),
        "ended": moment(used.event.ended_at),
        "data_version": CONNECTION_VERSION,
    }


def hit(used: Used) -> dict[str, Any]:
    return {
        "id": used.event.id,
        "content_guid": used.content_guid,
        "user_guid": used.visitor,
        "timestamp": moment(used.event.started_at),
        "data": {"path": used.path, "user_agent": used.user_agent},
    }
