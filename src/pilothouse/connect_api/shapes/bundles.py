"""Bundles and jobs (connect-wire-api §3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Bundle, Content
from pilothouse.identity.models import User
from pilothouse.launcher.models import Job


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
