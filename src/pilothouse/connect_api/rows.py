"""Every row of the publishing protocol, and why a few are refused. What answers a row is looked up, never claimed: `docs/reference/protocol.md`.

A row that no route answers and that gives no reason is not served yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

#: How a sentence that begins with “it” goes on.
GIT = "belongs to content from Git, which is not here yet"
VARIANTS = "belongs to reports, their variants and schedules, which are not here yet"


@dataclass(frozen=True)
class Row:
    """One method of one path. ``at_root``: below the stage's address, else below its ``/__api__``.

    ``refused`` is the reason why it answers with an error and nothing else. ``is_routed`` is false for what is answered
    before any application is asked.
    """

    method: str
    path: str
    at_root: bool = False
    refused: str = ""
    is_routed: bool = True

    @property
    def key(self) -> tuple[str, bool, str]:
        """What it is compared by: the names of parameters don't count."""
        return self.method, self.at_root, shape(self.path)


def shape(path: str) -> str:
    """The path with ``{}`` for each parameter."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _rows(text: str, *, at_root: bool = False, refused: str = "") -> Iterable[Row]:
    """``GET,PUT /path`` a line."""
    for line in text.strip().splitlines():
        methods, path = line.split()
        for method in methods.split(","):
            yield Row(method, path, at_root, refused)


#: By chapter, in the order of the page.
CHAPTERS: dict[str, tuple[Row, ...]] = {
    "Signing in": (
        *_rows("""
            POST /__login__
            POST /v1/experimental/bootstrap
            POST /tokens
        """),
        *_rows("""
            GET /.well-known/oauth-authorization-server
            GET,POST /oauth/v1/authorize
            POST /oauth/v1/token
            POST /oauth/v1/register
            POST /oauth/v1/device/authorize
            POST /oauth/v1/revoke
        """, at_root=True),
    ),
    "Server, people, groups, keys": (
        Row("GET", "/__ping__", at_root=True, is_routed=False),
        *_rows("""
            GET /server_settings
            GET /server_settings/applications
            GET /server_settings/scheduler
            GET /server_settings/scheduler/{app_mode}
            GET /v1/server_settings/{language}
            GET /v1/user
            GET /me
            GET /users/current
            GET /users/current/
            GET,POST,PUT /v1/users
            GET /v1/users/remote
            GET,PUT /v1/users/{guid}
            POST /v1/users/{guid}/lock
            GET,POST /v1/users/{guid}/keys
            DELETE /v1/users/{guid}/keys/{key_id}
            GET,POST,PUT /v1/groups
            GET /v1/groups/remote
            GET,DELETE /v1/groups/{guid}
            GET,POST /v1/groups/{guid}/members
            DELETE /v1/groups/{guid}/members/{user_guid}
            GET /v1/experimental/groups/{guid}/content
            GET /v1/timezones
            GET /timezones
            GET,POST /v1/system/checks
            GET /v1/system/checks/{id}
            GET /v1/system/checks/{id}/results
            POST /v1/tasks/send-test-email
            GET,DELETE /v1/system/caches/runtime
        """),
        *_rows("GET /v1/system/chronicle", refused="belongs to a collector of another product; read usage with the instrumentation endpoints"),
    ),
    "Content": (
        *_rows("""
            GET,POST /v1/content
            GET,PATCH,DELETE /v1/content/{guid}
            GET /v1/search/content
            GET,POST /v1/content/{guid}/bundles
            GET,DELETE /v1/content/{guid}/bundles/{bundle_id}
            GET /v1/content/{guid}/bundles/{bundle_id}/download
            POST /v1/content/{guid}/deploy
            POST /v1/content/{guid}/build
            GET,PATCH,PUT /v1/content/{guid}/environment
            GET,POST /v1/content/{guid}/permissions
            GET,PUT,DELETE /v1/content/{guid}/permissions/{grant_id}
            GET,POST /v1/content/{guid}/tags
            DELETE /v1/content/{guid}/tags/{tag_id}
            GET,PUT,DELETE /v1/content/{guid}/vanity
            GET /v1/vanities
            GET,DELETE /v1/content/{guid}/repository
        """),
        *_rows("PUT,PATCH /v1/content/{guid}/repository", refused=GIT),
        *_rows("POST /v1/content/{guid}/repository/bundle", refused=GIT),
        *_rows("""
            GET /v1/content/{guid}/lockfile
            GET /v1/content/{guid}/packages
            GET /v1/packages
            GET /v1/content/{guid}/jobs
            GET,DELETE /v1/content/{guid}/jobs/{key}
            GET /v1/content/{guid}/jobs/{key}/log
            PUT,DELETE /v1/content/{guid}/thumbnail
            GET,PUT /v1/content/{guid}/oauth/integrations/associations
        """),
        *_rows("GET /content/{guid}/__thumbnail__", at_root=True),
    ),
    "Tasks, tags, usage, environments, integrations": (
        *_rows("""
            GET /v1/tasks/{key}
            GET,POST /v1/tags
            GET,PATCH,DELETE /v1/tags/{id}
            GET /v1/tags/{id}/content
            GET /v1/instrumentation/content/visits
            GET /v1/instrumentation/shiny/usage
            GET /v1/instrumentation/content/hits
            GET /v1/audit_logs
            GET /metrics/procs
            GET,POST /v1/environments
            GET,PUT,DELETE /v1/environments/{guid}
            GET,POST /v1/environments/{guid}/permissions
            DELETE /v1/environments/{guid}/permissions/{permission_guid}
            GET,POST /v1/oauth/integrations
            GET,PATCH,DELETE /v1/oauth/integrations/{guid}
            GET /v1/oauth/integrations/{guid}/associations
            GET /v1/oauth/templates
            GET /v1/oauth/templates/{key}
            POST /v1/oauth/integrations/credentials
            GET /v1/oauth/sessions
            GET,DELETE /v1/oauth/sessions/{guid}
        """),
    ),
    "Unversioned": (
        *_rows("""
            GET,POST /applications
            GET /applications/
            GET,POST /applications/{id}
            POST /applications/{id}/upload
            POST /applications/{id}/deploy
            GET /applications/{id}/config
            GET /applications/{guid}/jobs
            GET /applications/{guid}/job/{key}
            GET,POST,DELETE /applications/{guid}/image
            GET /tasks/{id}
        """),
        *_rows("""
            GET /applications/{guid}/variants
            GET,POST /variants/{id}
            POST /variants/{id}/render
            GET /variants/{id}/renderings
            GET /variants/{id}/schedules
            GET /variants/{id}/subscribers
            POST /variants/{id}/sender
            POST /schedules
            GET,POST,DELETE /schedules/{id}
            GET /v1/experimental/schedules
        """, refused=VARIANTS),
        *_rows("""
            GET /repo/account
            GET /repo/branches
            GET /repo/manifest-dirs
        """, refused=GIT),
    ),
}  # fmt: skip


def all_rows() -> list[Row]:
    return [row for rows in CHAPTERS.values() for row in rows]


def answered(protocol: FastAPI, dashboard: FastAPI) -> set[tuple[str, bool, str]]:
    """The keys of all that the two applications have a route for."""
    return {
        Row(method, route.path or "", at_root).key
        for app, at_root in ((protocol, False), (dashboard, True))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }
