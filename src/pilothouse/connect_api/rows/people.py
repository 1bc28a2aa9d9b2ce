"""The server, people, groups, keys (connect-wire-api §2.1)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.people import GROUP, LEGACY_USER, ROLES, TASK, USER
from pilothouse.connect_api.nouns.words import (
    GUID,
    TEXT,
    TRUTH,
    array,
    keys,
    maybe,
    noun,
    offset_page,
    open_keys,
    such_as,
)
from pilothouse.connect_api.rows.row import Row, at_root, refused, row

_NAMES = {name: maybe(TEXT) for name in ("email", "first_name", "last_name")}
_NEW_USER = open_keys(
    username=TEXT,
    optional={
        "email": maybe(TEXT),
        "first_name": maybe(TEXT), "last_name": maybe(TEXT), "password": maybe(TEXT), "user_must_set_password": maybe(TRUTH),
        "user_role": maybe(ROLES), "unique_id": maybe(TEXT),
    },
)  # fmt: skip
_NEW_GROUP = such_as(open_keys(name=TEXT, optional={"unique_id": maybe(TEXT)}), {"name": "quality"})
_NEW_KEY = such_as(open_keys(name=TEXT), {"name": "laptop"})
_MARY = {"username": "mary.read", "email": "mary@example.com", "user_role": "publisher", "user_must_set_password": True}
_CHANGED_USER = open_keys(optional={**_NAMES, "username": maybe(TEXT), "user_role": maybe(ROLES)})
_CACHE = such_as(
    open_keys(language=TEXT, version=TEXT, optional={"image_name": maybe(TEXT), "dry_run": maybe(TRUTH)}),
    {"language": "Python", "version": "3.12.4", "dry_run": True},
)
_CHRONICLE = "belongs to a collector of another product; read usage with the instrumentation endpoints"
_MAIL = such_as(open_keys(to=TEXT), {"to": "you@example.com"})
_ALONE = "this server keeps its own people and groups, and asks no directory"
_TICKET = open_keys(temp_ticket=TEXT)

ROWS: tuple[Row, ...] = (
    at_root("GET /__ping__", "Ask whether the server is up", gives=keys(), is_routed=False),
    row("GET /server_settings", "Read what the server can do", gives=noun("ServerSettings")),
    row("GET /server_settings/applications", "Read what content may be set to", gives=noun("ContentSettings")),
    row("GET /server_settings/scheduler", "Read the defaults and limits of processes", gives=noun("Scheduler")),
    row("GET /server_settings/scheduler/{app_mode}", "Read those of one kind of content", gives=noun("Scheduler")),
    row("GET /v1/server_settings/{language}", "List the installed versions of a language", gives=noun("Installations")),
    row("GET /v1/user", "Read who you are", gives=USER),
    row("GET /me", "Read who you are", gives=LEGACY_USER),
    row("GET /users/current", "Read who you are", gives=LEGACY_USER),
    row("GET /users/current/", "Read who you are", gives=LEGACY_USER),
    row("GET /v1/users", "List users", gives=offset_page(USER)),
    row("POST /v1/users", "Create a user", takes=such_as(_NEW_USER, _MARY), gives=USER),
    row("PUT /v1/users", "Take a user over from a directory", takes=_TICKET, never=_ALONE),
    row("GET /v1/users/remote", "Find users of a directory", gives=offset_page(noun("RemoteUser"))),
    row("GET /v1/users/{guid}", "Read a user", gives=USER),
    row("PUT /v1/users/{guid}", "Change a user", takes=such_as(_CHANGED_USER, {"first_name": "Mary"}), gives=USER),
    row("POST /v1/users/{guid}/lock", "Lock or unlock a user", takes=open_keys(locked=TRUTH), gives=USER),
    row("GET /v1/users/{guid}/keys", "List keys", gives=array(noun("Key"))),
    row("POST /v1/users/{guid}/keys", "Create a key", takes=_NEW_KEY, gives=noun("NewKey")),
    row("DELETE /v1/users/{guid}/keys/{key_id}", "Revoke a key"),
    row("GET /v1/groups", "List groups", gives=offset_page(GROUP)),
    row("POST /v1/groups", "Create a group", takes=_NEW_GROUP, gives=GROUP),
    row("PUT /v1/groups", "Take a group over from a directory", takes=_TICKET, never=_ALONE),
    row("GET /v1/groups/remote", "Find groups of a directory", gives=offset_page(noun("RemoteGroup"))),
    row("GET /v1/groups/{guid}", "Read a group", gives=GROUP),
    row("DELETE /v1/groups/{guid}", "Delete a group"),
    row("GET /v1/groups/{guid}/members", "List the members of a group", gives=offset_page(USER)),
    row("POST /v1/groups/{guid}/members", "Add a member", takes=open_keys(user_guid=GUID), gives=USER),
    row("DELETE /v1/groups/{guid}/members/{user_guid}", "Remove a member"),
    row("GET /v1/experimental/groups/{guid}/content", "List what is open to a group", gives=array(noun("GroupContent"))),
    row("GET /v1/timezones", "List time zones", gives=array(noun("Timezone"))),
    row("GET /timezones", "List time zones", gives=array(noun("Timezone"))),
    row("GET /v1/system/checks", "List runs of the server's checks", gives=array(noun("CheckRun"))),
    row("POST /v1/system/checks", "Run the server's checks", gives=noun("CheckRun")),
    row("GET /v1/system/checks/{id}", "Read a run", gives=noun("CheckRun")),
    row("GET /v1/system/checks/{id}/results", "Read what a run found", gives=array(noun("CheckResult"))),
    row("POST /v1/tasks/send-test-email", "Send a test mail", takes=_MAIL, gives=TASK),
    row("GET /v1/system/caches/runtime", "List restored packages by runtime", gives=noun("RuntimeCaches")),
    row("DELETE /v1/system/caches/runtime", "Remove packages that no content needs", takes=_CACHE, gives=noun("RuntimeCacheCleared")),
    refused("GET /v1/system/chronicle", _CHRONICLE),
)  # fmt: skip
