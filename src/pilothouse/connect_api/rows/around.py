"""Tasks, tags, usage, environments, integrations: what stands around content (connect-wire-api §2.3)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.around import ENVIRONMENT, INTEGRATION, TAG
from pilothouse.connect_api.nouns.people import TASK
from pilothouse.connect_api.nouns.words import (
    GUID,
    ID,
    TEXT,
    TRUTH,
    always,
    array,
    cursor_page,
    maybe,
    noun,
    one_of,
    open_keys,
    such_as,
    table,
)
from pilothouse.connect_api.rows.row import Row, form, row
from pilothouse.content.service.credentials import API_KEY, GRANT_TYPE

_LANGUAGE = maybe(open_keys(installations=array(open_keys(path=TEXT, version=TEXT))))
_MOUNT = open_keys(
    source=open_keys(volume_type=TEXT, optional=dict.fromkeys(("nfs_host", "nfs_export_path", "pvc_name"), TEXT)),
    target=open_keys(path=TEXT, optional={"read_only": TRUTH}),
)
_IMAGE = {
    **dict.fromkeys(("description", "cluster_name", "environment_type", "supervisor"), maybe(TEXT)),
    "matching": maybe(one_of("any", "exact", "none")),
    **dict.fromkeys(("python", "quarto", "r", "tensorflow", "nodejs"), _LANGUAGE),
    "volume_mounts": maybe(array(_MOUNT)),
}
_NEW_IMAGE = such_as(
    open_keys(title=TEXT, name=TEXT, optional=_IMAGE), {"title": "Python 3.12", "name": "registry.example/python:3.12"}
)
_CHANGED_IMAGE = such_as(open_keys(optional={"title": TEXT, "name": TEXT, **_IMAGE}), {"title": "Python 3.12"})
_MAY_USE = such_as(
    open_keys(optional={"user_guid": maybe(GUID), "group_guid": maybe(GUID)}),
    {"group_guid": "5f0b0bd6-1c8c-4a55-9c1f-2b8d5c8f0a11"},
)
_CUSTOM = {
    "name": "Warehouse", "template": "custom",
    "config": {"token_uri": "https://login.example/token", "client_id": "pilothouse", "auth_type": "Service Account", "client_secret": "…"},
}  # fmt: skip
_INTEGRATION = {"description": maybe(TEXT), "config": table({"anyOf": [TEXT, TRUTH]}), "permissions": always([])}
_NEW_INTEGRATION = such_as(open_keys(name=TEXT, template=noun("IntegrationMake"), optional=_INTEGRATION), _CUSTOM)
_CHANGED_INTEGRATION = such_as(open_keys(optional={"name": TEXT, **_INTEGRATION}), {"name": "Warehouse"})
_PARENT = {"parent_id": maybe(ID)}
_NEW_TAG = such_as(open_keys(name=TEXT, optional=_PARENT), {"name": "Quality"})
_CHANGED_TAG = such_as(open_keys(optional={"name": TEXT, **_PARENT}), {"name": "Quality"})
_EXCHANGE = form(
    grant_type=always(GRANT_TYPE), subject_token_type=TEXT, subject_token=TEXT,
    optional={"requested_token_type": one_of("urn:ietf:params:oauth:token-type:access_token", API_KEY), "audience": GUID},
)  # fmt: skip

ROWS: tuple[Row, ...] = (
    row("GET /v1/tasks/{key}", "Follow a task", gives=TASK),
    row("GET /v1/tags", "List tags", gives=array(TAG)),
    row("POST /v1/tags", "Create a tag", takes=_NEW_TAG, gives=TAG),
    row("GET /v1/tags/{id}", "Read a tag", gives=TAG),
    row("PATCH /v1/tags/{id}", "Change a tag", takes=_CHANGED_TAG, gives=TAG),
    row("DELETE /v1/tags/{id}", "Delete a tag and those below it"),
    row("GET /v1/tags/{id}/content", "List content with a tag", gives=array(noun("Content"))),
    row("GET /v1/instrumentation/content/visits", "List page loads", gives=cursor_page(noun("Visit"))),
    row("GET /v1/instrumentation/shiny/usage", "List open and past connections", gives=cursor_page(noun("Connection"))),
    row("GET /v1/instrumentation/content/hits", "List every request", gives=array(noun("Hit"))),
    row("GET /v1/audit_logs", "List audit events", gives=cursor_page(noun("AuditEvent"))),
    row("GET /metrics/procs", "Read what runs now, and what it uses", gives=table(noun("Process"))),
    row("GET /v1/environments", "List environments", gives=array(ENVIRONMENT)),
    row("POST /v1/environments", "Add an environment", takes=_NEW_IMAGE, gives=ENVIRONMENT),
    row("GET /v1/environments/{guid}", "Read an environment", gives=ENVIRONMENT),
    row("PUT /v1/environments/{guid}", "Change an environment", takes=_CHANGED_IMAGE, gives=ENVIRONMENT),
    row("DELETE /v1/environments/{guid}", "Delete an environment"),
    row("GET /v1/environments/{guid}/permissions", "List who may use it", gives=array(noun("EnvironmentPermission"))),
    row("POST /v1/environments/{guid}/permissions", "Let somebody use it", takes=_MAY_USE, gives=noun("EnvironmentPermission")),
    row("DELETE /v1/environments/{guid}/permissions/{permission_guid}", "Take it from somebody"),
    row("GET /v1/oauth/integrations", "List integrations", gives=array(INTEGRATION)),
    row("POST /v1/oauth/integrations", "Create an integration", takes=_NEW_INTEGRATION, gives=INTEGRATION),
    row("GET /v1/oauth/integrations/{guid}", "Read an integration", gives=INTEGRATION),
    row("PATCH /v1/oauth/integrations/{guid}", "Change an integration", takes=_CHANGED_INTEGRATION, gives=INTEGRATION),
    row("DELETE /v1/oauth/integrations/{guid}", "Delete an integration"),
    row("GET /v1/oauth/integrations/{guid}/associations", "List content that uses it", gives=array(noun("Association"))),
    row("GET /v1/oauth/templates", "List templates of integrations", gives=array(noun("IntegrationTemplate"))),
    row("GET /v1/oauth/templates/{key}", "Read a template", gives=noun("IntegrationTemplate")),
    row("POST /v1/oauth/integrations/credentials", "Exchange a visitor's token for credentials", takes=_EXCHANGE, gives=noun("Credentials")),
    row("GET /v1/oauth/sessions", "List sessions at other services", gives=array(noun("IntegrationSession"))),
    row("GET /v1/oauth/sessions/{guid}", "Read a session", gives=noun("IntegrationSession")),
    row("DELETE /v1/oauth/sessions/{guid}", "End a session"),
)  # fmt: skip
