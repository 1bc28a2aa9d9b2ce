"""How our nouns look on the wire (connect-wire-api §3.3 to §3.5). All keys are always there; unknown is null."""

from pilothouse.connect_api.shapes.bundles import build, bundle, job, package, task
from pilothouse.connect_api.shapes.content import (
    ROLE_OF_SHARE,
    SETTABLE,
    SHARE_OF_ROLE,
    content,
    dashboard_url,
    permission,
    vanity,
)
from pilothouse.connect_api.shapes.images import image, image_access
from pilothouse.connect_api.shapes.integrations import association, integration, oauth_session, template
from pilothouse.connect_api.shapes.legacy import legacy_bundle, legacy_content, legacy_job, legacy_task
from pilothouse.connect_api.shapes.moments import moment
from pilothouse.connect_api.shapes.people import group, group_content, key, legacy_user, user
from pilothouse.connect_api.shapes.tags import tag
from pilothouse.connect_api.shapes.usage import connection, hit, visit

__all__ = [
    "ROLE_OF_SHARE", "SETTABLE", "SHARE_OF_ROLE", "association", "build", "bundle", "connection", "content",
    "dashboard_url", "group", "group_content", "hit", "image", "image_access", "integration", "job", "key", "legacy_bundle",
    "legacy_content", "legacy_job", "legacy_task", "legacy_user", "moment", "oauth_session", "package", "permission", "tag",
    "task", "template", "user", "vanity", "visit",
]  # fmt: skip
