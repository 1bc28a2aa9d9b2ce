"""Content and what belongs to one item (connect-wire-api §2.2)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.content import BUNDLE, CONTENT, LIMITS_OF_OURS, PERMISSION, SETTABLE_FIELDS, VANITY
from pilothouse.connect_api.nouns.people import ACCESS
from pilothouse.connect_api.nouns.words import (
    GUID,
    ID,
    TEXT,
    TRUTH,
    array,
    maybe,
    noun,
    offset_page,
    one_of,
    open_keys,
    such_as,
)
from pilothouse.connect_api.rows.row import GIT, Row, at_root, file, refused, row, text

FIELDS = {
    "name": TEXT, "title": maybe(TEXT), "description": maybe(TEXT), "access_type": ACCESS, "locked": TRUTH,
    "locked_message": maybe(TEXT), **SETTABLE_FIELDS, **LIMITS_OF_OURS,
}  # fmt: skip
_NEW = such_as(
    open_keys(optional=FIELDS), {"name": "quarterly-report", "title": "Quarterly report", "access_type": "logged_in"}
)
_CHANGED = such_as(open_keys(optional={**FIELDS, "owner_guid": GUID}), {"title": "Quarterly report"})
_VARIABLES = such_as(
    array(open_keys(name=TEXT, optional={"value": maybe(TEXT)})), [{"name": "REGION", "value": "north"}]
)
_GRANT = open_keys(principal_guid=GUID, principal_type=one_of("user", "group"), role=one_of("viewer", "owner"))
_SHARE = such_as(open_keys(role=one_of("viewer", "owner")), {"role": "viewer"})
_BUNDLE = such_as(open_keys(optional={"bundle_id": maybe(ID), "activate": TRUTH}), {"bundle_id": None})
_BUILD = such_as(open_keys(optional={"bundle_id": maybe(ID)}), {"bundle_id": None})
_USED = such_as(
    array(open_keys(oauth_integration_guid=GUID)), [{"oauth_integration_guid": "5f0b0bd6-1c8c-4a55-9c1f-2b8d5c8f0a11"}]
)
_PATH = such_as(open_keys(path=TEXT, optional={"force": TRUTH}), {"path": "/quarterly/"})
_NO_GIT = "no content here comes from Git"
_ASSOCIATIONS = "/v1/content/{guid}/oauth/integrations/associations"
ARCHIVE, PICTURE = file("application/gzip"), file("image/*")

ROWS: tuple[Row, ...] = (
    row("GET /v1/content", "List content", gives=array(CONTENT)),
    row("POST /v1/content", "Create content", takes=_NEW, gives=CONTENT),
    row("GET /v1/content/{guid}", "Read content", gives=CONTENT),
    row("PATCH /v1/content/{guid}", "Change content", takes=_CHANGED, gives=CONTENT),
    row("DELETE /v1/content/{guid}", "Delete content"),
    row("GET /v1/search/content", "Search content", gives=offset_page(CONTENT)),
    row("GET /v1/content/{guid}/bundles", "List bundles", gives=array(BUNDLE)),
    row("POST /v1/content/{guid}/bundles", "Upload a bundle", takes=ARCHIVE, gives=BUNDLE),
    row("GET /v1/content/{guid}/bundles/{bundle_id}", "Read a bundle", gives=BUNDLE),
    row("DELETE /v1/content/{guid}/bundles/{bundle_id}", "Delete a bundle"),
    row("GET /v1/content/{guid}/bundles/{bundle_id}/download", "Download a bundle", gives=ARCHIVE),
    row("POST /v1/content/{guid}/deploy", "Deploy a bundle", takes=_BUNDLE, gives=noun("TaskStarted")),
    row("POST /v1/content/{guid}/build", "Build a bundle", takes=_BUILD, gives=noun("TaskStarted")),
    row("GET /v1/content/{guid}/environment", "List the names of variables", gives=array(TEXT)),
    row("PATCH /v1/content/{guid}/environment", "Change variables", takes=_VARIABLES, gives=array(TEXT)),
    row("PUT /v1/content/{guid}/environment", "Replace all variables", takes=_VARIABLES, gives=array(TEXT)),
    row("GET /v1/content/{guid}/permissions", "List who may open it", gives=array(PERMISSION)),
    row("POST /v1/content/{guid}/permissions", "Let somebody open it", takes=_GRANT, gives=PERMISSION),
    row("GET /v1/content/{guid}/permissions/{grant_id}", "Read a permission", gives=PERMISSION),
    row("PUT /v1/content/{guid}/permissions/{grant_id}", "Change a permission", takes=_SHARE, gives=PERMISSION),
    row("DELETE /v1/content/{guid}/permissions/{grant_id}", "Take a permission away"),
    row("GET /v1/content/{guid}/tags", "List tags of content", gives=array(noun("Tag"))),
    row("POST /v1/content/{guid}/tags", "Tag content", takes=open_keys(tag_id=ID), gives=array(noun("Tag"))),
    row("DELETE /v1/content/{guid}/tags/{tag_id}", "Take a tag off content"),
    row("GET /v1/content/{guid}/vanity", "Read its path", gives=VANITY),
    row("PUT /v1/content/{guid}/vanity", "Set its path", takes=_PATH, gives=VANITY),
    row("DELETE /v1/content/{guid}/vanity", "Take its path away"),
    row("GET /v1/vanities", "List paths", gives=array(VANITY)),
    row("GET /v1/content/{guid}/repository", "Read where it comes from in Git", never=_NO_GIT),
    row("DELETE /v1/content/{guid}/repository", "Cut it off from Git", never=_NO_GIT),
    refused("PUT /v1/content/{guid}/repository", GIT),
    refused("PATCH /v1/content/{guid}/repository", GIT),
    refused("POST /v1/content/{guid}/repository/bundle", GIT),
    row("GET /v1/content/{guid}/lockfile", "Read the exact Python packages", gives=text()),
    row("GET /v1/content/{guid}/packages", "List the packages of content", gives=array(noun("Package"))),
    row("GET /v1/packages", "List the packages of all content", gives=offset_page(noun("PackageUse"))),
    row("GET /v1/content/{guid}/jobs", "List jobs", gives=array(noun("Job"))),
    row("GET /v1/content/{guid}/jobs/{key}", "Read a job", gives=noun("Job")),
    row("DELETE /v1/content/{guid}/jobs/{key}", "Stop a job", gives=noun("JobStopped")),
    row("GET /v1/content/{guid}/jobs/{key}/log", "Read what a job printed", gives=noun("JobLog")),
    row("PUT /v1/content/{guid}/thumbnail", "Set the picture", takes=PICTURE, gives=noun("PictureSet")),
    row("DELETE /v1/content/{guid}/thumbnail", "Remove the picture"),
    row(f"GET {_ASSOCIATIONS}", "List the integrations of content", gives=array(noun("Association"))),
    row(f"PUT {_ASSOCIATIONS}", "Choose the integrations of content", takes=_USED, gives=array(noun("Association"))),
    at_root("GET /content/{guid}/__thumbnail__", "Read the picture", gives=PICTURE),
)  # fmt: skip
