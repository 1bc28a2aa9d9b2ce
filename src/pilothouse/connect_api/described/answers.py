"""Which row takes and gives what. A new row gets a line here; its nouns stand in ``schemas``."""

from __future__ import annotations

from pilothouse.connect_api.described.schemas import (
    ACCESS,
    ANYTHING,
    GUID,
    SETTABLE_FIELDS,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    array,
    keys,
    maybe,
    noun,
    offset_page,
    one_of,
)

_CONTENT = {
    "name": TEXT, "title": maybe(TEXT), "description": TEXT, "access_type": ACCESS, "locked": TRUTH, "locked_message": TEXT,
    **SETTABLE_FIELDS,
}  # fmt: skip
_VARIABLES = array(keys(name=TEXT, optional={"value": maybe(TEXT)}))
_GRANT = keys(principal_guid=GUID, principal_type=one_of("user", "group"), role=one_of("owner", "viewer"))
_BUNDLE = keys(optional={"bundle_id": maybe(TEXT), "activate": TRUTH})

_APPLICATIONS = keys(applications=array(noun("LegacyContent")), count=WHOLE, total=WHOLE, continuation=maybe(TEXT))

#: What answers with something else than JSON, or with nothing.
EMPTY = "nothing"
FILES: dict[str, str] = {
    "GET /v1/content/{}/bundles/{}/download": "application/gzip",
    "GET /v1/content/{}/lockfile": "text/plain",
}

#: "METHOD path", with ``{}`` for each parameter → the successful answer.
ANSWERS: dict[str, Schema | str] = {
    "POST /__login__": keys(guid=GUID, username=TEXT),
    "POST /v1/experimental/bootstrap": keys(api_key=TEXT),
    "POST /tokens": keys(token_claim_url=TEXT),
    "GET /server_settings": noun("ServerSettings"),
    "GET /server_settings/applications": keys(access_types=array(ACCESS), run_as=TEXT, run_as_current_user=TRUTH),
    "GET /server_settings/scheduler": {"type": "object", "additionalProperties": {"type": "number"}},
    "GET /server_settings/scheduler/{}": {"type": "object", "additionalProperties": {"type": "number"}},
    "GET /v1/server_settings/{}": noun("Installations"),
    "GET /v1/user": noun("User"),
    "GET /me": noun("LegacyUser"),
    "GET /users/current": noun("LegacyUser"),
    "GET /users/current/": noun("LegacyUser"),
    "GET /v1/users": offset_page(noun("User")),
    "GET /v1/users/{}": noun("User"),
    "GET /v1/users/{}/keys": array(noun("Key")),
    "POST /v1/users/{}/keys": noun("NewKey"),
    "DELETE /v1/users/{}/keys/{}": EMPTY,
    "GET /v1/groups": offset_page(noun("Group")),
    "GET /v1/content": array(noun("Content")),
    "POST /v1/content": noun("Content"),
    "GET /v1/content/{}": noun("Content"),
    "PATCH /v1/content/{}": noun("Content"),
    "DELETE /v1/content/{}": EMPTY,
    "GET /v1/content/{}/environment": array(TEXT),
    "PATCH /v1/content/{}/environment": array(TEXT),
    "PUT /v1/content/{}/environment": array(TEXT),
    "GET /v1/content/{}/permissions": array(noun("Permission")),
    "POST /v1/content/{}/permissions": noun("Permission"),
    "GET /v1/content/{}/permissions/{}": noun("Permission"),
    "PUT /v1/content/{}/permissions/{}": noun("Permission"),
    "DELETE /v1/content/{}/permissions/{}": EMPTY,
    "GET /v1/content/{}/vanity": noun("Vanity"),
    "PUT /v1/content/{}/vanity": noun("Vanity"),
    "DELETE /v1/content/{}/vanity": EMPTY,
    "GET /v1/content/{}/repository": {"not": ANYTHING},
    "GET /v1/content/{}/bundles": array(noun("Bundle")),
    "POST /v1/content/{}/bundles": noun("Bundle"),
    "GET /v1/content/{}/bundles/{}": noun("Bundle"),
    "DELETE /v1/content/{}/bundles/{}": EMPTY,
    "GET /v1/content/{}/bundles/{}/download": TEXT,
    "POST /v1/content/{}/deploy": noun("TaskStarted"),
    "POST /v1/content/{}/build": noun("TaskStarted"),
    "GET /v1/content/{}/lockfile": TEXT,
    "GET /v1/content/{}/jobs": array(noun("Job")),
    "GET /v1/content/{}/jobs/{}": noun("Job"),
    "DELETE /v1/content/{}/jobs/{}": noun("JobStopped"),
    "GET /v1/content/{}/jobs/{}/log": noun("JobLog"),
    "GET /v1/tasks/{}": noun("Task"),
    "GET /applications/{}": noun("LegacyContent"),
    "GET /v1/search/content": offset_page(noun("Content")),
    "GET /v1/vanities": array(noun("Vanity")),
    "GET /v1/content/{}/packages": array(noun("Package")),
    "GET /v1/packages": offset_page(noun("PackageUse")),
    "PUT /v1/content/{}/thumbnail": keys(content_guid=GUID),
    "DELETE /v1/content/{}/thumbnail": EMPTY,
    "GET /applications": _APPLICATIONS,
    "GET /applications/": _APPLICATIONS,
    "POST /applications": noun("LegacyContent"),
    "POST /applications/{}": noun("LegacyContent"),
    "POST /applications/{}/upload": noun("LegacyBundle"),
    "POST /applications/{}/deploy": noun("LegacyTask"),
    "GET /applications/{}/config": keys(config_url=TEXT),
    "GET /applications/{}/jobs": array(noun("LegacyJob")),
    "GET /applications/{}/job/{}": noun("LegacyJob"),
    "POST /applications/{}/image": keys(content_guid=GUID),
    "DELETE /applications/{}/image": EMPTY,
    "GET /tasks/{}": noun("LegacyTask"),
}

#: The same → the body that it takes.
BODIES: dict[str, Schema] = {
    "POST /__login__": keys(username=TEXT, password=TEXT),
    "POST /tokens": keys(token=TEXT, public_key=TEXT),
    "POST /v1/users/{}/keys": keys(name=TEXT),
    "POST /v1/content": keys(optional=_CONTENT),
    "PATCH /v1/content/{}": keys(optional={**_CONTENT, "owner_guid": GUID}),
    "PATCH /v1/content/{}/environment": _VARIABLES,
    "PUT /v1/content/{}/environment": _VARIABLES,
    "POST /v1/content/{}/permissions": _GRANT,
    "PUT /v1/content/{}/permissions/{}": _GRANT,
    "PUT /v1/content/{}/vanity": keys(path=TEXT, optional={"force": TRUTH}),
    "POST /v1/content/{}/deploy": _BUNDLE,
    "POST /v1/content/{}/build": _BUNDLE,
    "POST /applications": keys(optional=_CONTENT),
    "POST /applications/{}": keys(optional=_CONTENT),
    "POST /applications/{}/deploy": keys(optional={"bundle": maybe(WHOLE)}),
}
UPLOADS = frozenset({
    "POST /v1/content/{}/bundles", "PUT /v1/content/{}/thumbnail", "POST /applications/{}/upload", "POST /applications/{}/image",
})  # fmt: skip
