"""Tags, usage, environments, integrations: what stands around content (connect-wire-api §2.3, §3.5)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.words import (
    ADDRESS,
    COUNT,
    GUID,
    ID,
    MOMENT,
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    always,
    array,
    keys,
    maybe,
    noun,
    one_of,
    table,
)
from pilothouse.integrations.contract import TEMPLATES, AuthType

_MADE = {"created_time": MOMENT, "updated_time": MOMENT}
_WORD = {"name": TEXT, "label": TEXT, "description": TEXT, "order": COUNT, "default": TEXT}
_LANGUAGE = maybe(keys(installations=array(keys(path=TEXT, version=TEXT))))
_MOUNT = keys(
    source=keys(volume_type=TEXT, nfs_host=TEXT, nfs_export_path=TEXT, pvc_name=TEXT),
    target=keys(path=TEXT, read_only=TRUTH),
)

NOUNS: dict[str, Schema] = {
    "Tag": keys(id=ID, name=TEXT, parent_id=maybe(ID), **_MADE),
    "Visit": keys(
        content_guid=GUID, user_guid=maybe(GUID), variant_key=maybe(TEXT), rendering_id=maybe(WHOLE), bundle_id=maybe(WHOLE),
        time=MOMENT, data_version=WHOLE, path=TEXT,
    ),
    "Connection": keys(content_guid=GUID, user_guid=maybe(GUID), started=MOMENT, ended=maybe(MOMENT), data_version=WHOLE),
    "Hit": keys(
        id=WHOLE, content_guid=GUID, user_guid=maybe(GUID), timestamp=MOMENT, data=keys(path=TEXT, user_agent=TEXT)
    ),
    "AuditEvent": keys(
        id=ID, time=MOMENT, user_id=maybe(ID), user_guid=maybe(GUID), user_description=TEXT, action=TEXT, event_description=TEXT
    ),
    "Process": keys(
        appId=WHOLE, appGuid=GUID, appName=TEXT, appUrl=ADDRESS, appRunAs=TEXT, type=TEXT, cpuCurrent=NUMBER, cpuTotal=NUMBER,
        ram=COUNT,
    ),
    "Environment": keys(
        id=ID, guid=GUID, **_MADE, title=TEXT, description=maybe(TEXT), cluster_name=maybe(TEXT), name=TEXT, environment_type=TEXT,
        matching=one_of("any", "exact", "none"), supervisor=maybe(TEXT), managed_by=maybe(TEXT),
        **dict.fromkeys(("python", "quarto", "r", "tensorflow", "nodejs"), _LANGUAGE), volume_mounts=array(_MOUNT),
    ),
    "EnvironmentPermission": keys(
        guid=GUID, environment_guid=GUID, user_guid=maybe(GUID), group_guid=maybe(GUID), created_time=MOMENT
    ),
    "IntegrationMake": one_of(*TEMPLATES),
    "IntegrationKind": one_of(*AuthType),
    "Integration": keys(
        id=ID, guid=GUID, **_MADE, name=TEXT, description=TEXT, template=noun("IntegrationMake"), auth_type=noun("IntegrationKind"),
        config=table(TEXT), permissions=always([]), environment_variables=always([]),
    ),
    "IntegrationTemplate": keys(
        id=noun("IntegrationMake"), name=TEXT, description=TEXT, sections=always([]),
        options=array(keys(**_WORD, type=always("select"), values=array(TEXT))),
        fields=array(keys(**_WORD, secret=TRUTH, multiline=TRUTH)), environment_variables=always([]),
    ),
    "IntegrationSession": keys(
        id=ID, guid=GUID, user_guid=GUID, oauth_integration_guid=GUID, has_refresh_token=TRUTH, **_MADE
    ),
    "Credentials": keys(
        access_token=TEXT, issued_token_type=TEXT, token_type=one_of("Key", "Bearer", "aws_credentials"),
        optional={"expires_in": COUNT},
    ),
}  # fmt: skip

TAG, ENVIRONMENT, INTEGRATION = noun("Tag"), noun("Environment"), noun("Integration")
