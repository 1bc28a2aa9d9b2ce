"""Bundles, jobs, tasks and packages (connect-wire-api §2.2, §3.3, §3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilothouse.connect_api.shapes.moments import moment
from pilothouse.content.models import Bundle, Content
from pilothouse.content.service import Build, UsedPackage
from pilothouse.identity.models import User
from pilothouse.launcher.models import Job
from pilothouse.tasks import TaskView

ACTIVE, FINALIZED = 0, 2
#: What a build is called, by the language whose packages it restores.
TAGS = {"python": "python_restore", "r": "packrat_restore"}


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
        **_job(content, row.key, row.tag, "" if row.bundle_id is None else str(row.bundle_id)),
        "id": str(row.id),
        "pid": "" if row.pid is None else str(row.pid),
        "start_time": moment(row.started_at or row.queued_at),
        "end_time": moment(row.ended_at),
        "last_heartbeat_time": moment(row.ended_at or row.started_at or row.queued_at),
        "queued_time": moment(row.queued_at),
        "exit_code": row.exit_code,
        "status": FINALIZED if row.ended_at else ACTIVE,
        "hostname": row.node,
        "cluster": row.cluster,
        "run_as": row.run_as,
    }


def build(row: Build, *, content: Content) -> dict[str, Any]:
    """A deploy or build looks like a job; it is known by its task's key, in all places where a job's number stands."""
    task = row.task
    return {
        **_job(content, task.key, TAGS.get(row.language, "unknown"), str(row.bundle_id)),
        "id": task.key,
        "start_time": moment(task.started_at or task.created_at),
        "end_time": moment(task.ended_at),
        "last_heartbeat_time": moment(task.ended_at or task.started_at or task.created_at),
        "queued_time": moment(task.created_at),
        "exit_code": task.code if task.ended_at else None,
        "status": FINALIZED if task.ended_at else ACTIVE,
    }


def task(view: TaskView) -> dict[str, Any]:
    return {
        "id": view.key,
        "output": list(view.lines),
        "result": None,
        "finished": view.is_finished,
        "code": view.code,
        "error": view.error,
        "last": view.last,
    }


def package(row: UsedPackage) -> dict[str, Any]:
    """As content lists it; the list over all content adds whose it is."""
    return {
        "language": row.language,
        "language_version": row.language_version,
        "name": row.name,
        "version": row.version,
        "hash": row.hash,
    }


def _job(content: Content, key: str, tag: str, bundle_id: str) -> dict[str, Any]:
    """What each job has, in the order of the protocol."""
    return {
        "id": "",
        "pid": "",
        "ppid": "",
        "key": key,
        "remote_id": None,
        "app_id": str(content.id),
        "content_id": str(content.id),
        "content_guid": content.guid,
        "variant_id": "0",
        "bundle_id": bundle_id,
        "start_time": None,
        "end_time": None,
        "last_heartbeat_time": None,
        "queued_time": None,
        "queue_name": None,
        "tag": tag,
        "exit_code": None,
        "status": ACTIVE,
        "hostname": "",
        "cluster": "Local",
        "image": None,
        "run_as": "",
    }
