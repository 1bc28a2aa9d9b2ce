"""How our nouns look on the wire (connect-wire-api §3.3 to §3.5). All keys are always there; unknown is null."""

from pilothouse.connect_api.shapes.bundles import bundle, job
from pilothouse.connect_api.shapes.content import ROLE_OF_SHARE, SETTABLE, SHARE_OF_ROLE, content, permission, vanity
from pilothouse.connect_api.shapes.legacy import legacy_content
from pilothouse.connect_api.shapes.moments import moment
from pilothouse.connect_api.shapes.people import group, key, legacy_user, user

__all__ = [
    "ROLE_OF_SHARE", "SETTABLE", "SHARE_OF_ROLE", "bundle", "content", "group", "job", "key", "legacy_content",
    "legacy_user", "moment", "permission", "user", "vanity",
]  # fmt: skip
