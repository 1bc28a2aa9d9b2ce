"""What older clients read (connect-wire-api §2.4, §3.5)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.content import ROLE, SETTABLE_FIELDS, VERSIONS, job
from pilothouse.connect_api.nouns.people import ACCESS
from pilothouse.connect_api.nouns.words import (
    ADDRESS,
    ANYTHING,
    COUNT,
    GUID,
    MOMENT,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    always,
    array,
    keys,
    maybe,
    noun,
)
from pilothouse.connect_api.shapes.legacy import APP_MODES

NOUNS: dict[str, Schema] = {
    "LegacyContent": keys(
        id=WHOLE, guid=GUID, name=TEXT, title=maybe(TEXT), description=TEXT, access_type=ACCESS, **SETTABLE_FIELDS, url=ADDRESS,
        dashboard_url=ADDRESS, vanity_url=TRUTH, bundle_id=maybe(WHOLE),
        app_mode={"type": "integer", "minimum": 0, "maximum": len(APP_MODES) - 1}, content_category=TEXT, has_parameters=TRUTH,
        created_time=MOMENT, last_deployed_time=MOMENT, build_status=WHOLE, cluster_name=maybe(TEXT), image_name=maybe(TEXT),
        **VERSIONS, app_role=ROLE, owner_first_name=TEXT, owner_last_name=TEXT, owner_username=TEXT, owner_guid=GUID,
        owner_email=TEXT, owner_locked=TRUTH, is_scheduled=TRUTH,
        **dict.fromkeys(("git", "users", "groups", "vanities"), always(None)),
    ),
    "LegacyContentPage": keys(
        applications=array(noun("LegacyContent")), count=COUNT, total=COUNT, continuation=maybe(TEXT)
    ),
    "LegacyBundle": keys(
        id=WHOLE, app_id=WHOLE, user_id=maybe(WHOLE), created_time=MOMENT, updated_time=MOMENT, is_active=TRUTH, size=COUNT,
        archive_md5=maybe(TEXT), archive_sha1=maybe(TEXT),
    ),
    "LegacyTask": keys(
        id=TEXT, user_id=WHOLE, status=array(TEXT), result=maybe(keys(type=TEXT, data=ANYTHING)), finished=TRUTH, code=WHOLE,
        error=TEXT, last_status=COUNT,
    ),
    "LegacyJob": job(WHOLE, WHOLE, WHOLE),
}  # fmt: skip

LEGACY_CONTENT, LEGACY_TASK = noun("LegacyContent"), noun("LegacyTask")
