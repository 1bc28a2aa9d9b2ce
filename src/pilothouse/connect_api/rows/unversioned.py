"""What older clients still call (connect-wire-api §2.4)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.unversioned import LEGACY_CONTENT, LEGACY_TASK
from pilothouse.connect_api.nouns.words import ADDRESS, WHOLE, array, keys, maybe, noun, open_keys, such_as
from pilothouse.connect_api.rows.content import ARCHIVE, FIELDS, PICTURE
from pilothouse.connect_api.rows.row import GIT, VARIANTS, Row, refused, row

_FIELDS = such_as(open_keys(optional=FIELDS), {"name": "quarterly-report"})
_BUNDLE = such_as(open_keys(optional={"bundle": maybe(WHOLE)}), {"bundle": None})

ROWS: tuple[Row, ...] = (
    row("GET /applications", "List content", gives=noun("LegacyContentPage")),
    row("POST /applications", "Create content", takes=_FIELDS, gives=LEGACY_CONTENT),
    row("GET /applications/", "List content", gives=noun("LegacyContentPage")),
    row("GET /applications/{id}", "Read content by number or GUID", gives=LEGACY_CONTENT),
    row("POST /applications/{id}", "Change content", takes=_FIELDS, gives=LEGACY_CONTENT),
    row("POST /applications/{id}/upload", "Upload a bundle", takes=ARCHIVE, gives=noun("LegacyBundle")),
    row("POST /applications/{id}/deploy", "Deploy a bundle", takes=_BUNDLE, gives=LEGACY_TASK),
    row("GET /applications/{id}/config", "Find its page", gives=keys(config_url=ADDRESS)),
    row("GET /applications/{guid}/jobs", "List jobs", gives=array(noun("LegacyJob"))),
    row("GET /applications/{guid}/job/{key}", "Read a job", gives=noun("LegacyJob")),
    row("GET /applications/{guid}/image", "Read the picture", gives=PICTURE),
    row("POST /applications/{guid}/image", "Set the picture", takes=PICTURE, gives=noun("PictureSet")),
    row("DELETE /applications/{guid}/image", "Remove the picture"),
    row("GET /tasks/{id}", "Follow a task", gives=LEGACY_TASK),
    refused("GET /applications/{guid}/variants", VARIANTS),
    refused("GET /variants/{id}", VARIANTS),
    refused("POST /variants/{id}", VARIANTS),
    refused("POST /variants/{id}/render", VARIANTS),
    refused("GET /variants/{id}/renderings", VARIANTS),
    refused("GET /variants/{id}/schedules", VARIANTS),
    refused("GET /variants/{id}/subscribers", VARIANTS),
    refused("POST /variants/{id}/sender", VARIANTS),
    refused("POST /schedules", VARIANTS),
    refused("GET /schedules/{id}", VARIANTS),
    refused("POST /schedules/{id}", VARIANTS),
    refused("DELETE /schedules/{id}", VARIANTS),
    refused("GET /v1/experimental/schedules", VARIANTS),
    refused("GET /repo/account", GIT),
    refused("GET /repo/branches", GIT),
    refused("GET /repo/manifest-dirs", GIT),
)
