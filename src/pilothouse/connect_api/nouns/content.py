"""Content and what belongs to one item (connect-wire-api §2.2, §3.4, §3.5)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.people import ACCESS
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
)
from pilothouse.connect_api.shapes import SETTABLE
from pilothouse.connect_api.shapes.legacy import APP_MODES

_NUMBERS = ("load_factor", "cpu_request", "cpu_limit")
_TRUTHS = ("default_r_environment_management", "default_py_environment_management")
_TEXTS = ("run_as", "service_account_name", "default_image_name", "default_environment_guid")


def _settable(name: str) -> Schema:
    if name == "run_as_current_user":
        return TRUTH
    return maybe(TRUTH if name in _TRUTHS else NUMBER if name in _NUMBERS else TEXT if name in _TEXTS else WHOLE)


SETTABLE_FIELDS = {name: _settable(name) for name in SETTABLE}
LIMITS_OF_OURS = {"load_group": maybe(TEXT), "requests_per_minute": maybe(WHOLE)}
VERSIONS = {name: maybe(TEXT) for name in ("r_version", "py_version", "quarto_version")}
ROLE = one_of("owner", "editor", "viewer", "none")
MODE = one_of(*(mode for mode in APP_MODES if mode))
JOB_TAGS = one_of(
    "unknown", "build_report", "build_site", "build_jupyter", "packrat_restore", "python_restore", "configure_report", "run_app",
    "run_api", "run_tensorflow", "run_python_api", "run_dash_app", "run_streamlit", "run_bokeh_app", "run_fastapi_app",
    "run_pyshiny_app", "render_shiny", "run_voila_app", "testing", "git", "val_py_ext_pkg", "val_r_ext_pkg", "val_r_install",
)  # fmt: skip
_OWNER = keys(guid=GUID, username=TEXT, first_name=TEXT, last_name=TEXT)
_PACKAGE = {
    "language": one_of("python", "r"), "language_version": maybe(TEXT), "name": TEXT, "version": TEXT, "hash": maybe(TEXT),
}  # fmt: skip
_SOURCE = ("source", "source_repo", "source_branch", "source_commit", "archive_md5", "archive_sha1")


def job(number: Schema, bundle: Schema, at: Schema) -> Schema:
    """Of the current and of the unversioned protocol: numbers and times differ."""
    return keys(
        id=number, pid=number, ppid=number, key=TEXT, remote_id=maybe(TEXT), app_id=number, content_id=number, content_guid=GUID,
        variant_id=number, bundle_id=bundle, start_time=at, end_time=maybe(at), last_heartbeat_time=at, queued_time=at,
        queue_name=maybe(TEXT), tag=JOB_TAGS, exit_code=maybe(WHOLE), status={"type": "integer", "enum": [0, 1, 2]}, hostname=TEXT,
        cluster=TEXT, image=maybe(TEXT), run_as=TEXT,
    )  # fmt: skip


NOUNS: dict[str, Schema] = {
    "Content": keys(
        guid=GUID, name=TEXT, title=maybe(TEXT), id=ID, description=TEXT, content_category=TEXT, access_type=ACCESS, locked=TRUTH,
        locked_message=TEXT, extension=TRUTH, **SETTABLE_FIELDS, **LIMITS_OF_OURS, environment_guid=maybe(GUID),
        cluster_name=maybe(TEXT), image_name=maybe(TEXT), r_environment_management=maybe(TRUTH),
        py_environment_management=maybe(TRUTH), created_time=MOMENT, last_deployed_time=MOMENT, bundle_id=maybe(ID), app_mode=MODE,
        parameterized=TRUTH, **VERSIONS, node_version=maybe(TEXT), owner_guid=GUID, app_role=ROLE, content_url=ADDRESS,
        dashboard_url=ADDRESS, draft_marker_enabled=TRUTH, metrics_collection_enabled=TRUTH, notify_on_share=TRUTH,
        otel_enabled=TRUTH, public_content_status=always(None),
        optional={"owner": _OWNER, "tags": array(noun("Tag")), "vanity_url": ADDRESS},
    ),
    "Bundle": keys(
        id=ID, content_guid=GUID, created_time=MOMENT, created_by=maybe(GUID), created_by_name=maybe(TEXT), created_by_user=TRUTH,
        cluster_name=maybe(TEXT), image_name=maybe(TEXT), environment_guid=maybe(GUID), **VERSIONS, r_environment_management=TRUTH,
        py_environment_management=TRUTH, active=TRUTH, size=COUNT, metadata=keys(**dict.fromkeys(_SOURCE, maybe(TEXT))),
    ),
    "Permission": keys(
        id=ID, content_guid=GUID, principal_guid=GUID, principal_name=TEXT, principal_type=one_of("user", "group"),
        role=one_of("owner", "viewer"),
    ),
    "Vanity": keys(content_guid=GUID, path={"type": "string", "pattern": "^/.*/$"}, created_time=MOMENT),
    "Package": keys(**_PACKAGE),
    "PackageUse": keys(**_PACKAGE, bundle_id=ID, app_id=ID, app_guid=GUID),
    "Job": job(TEXT, TEXT, MOMENT),
    "JobStopped": keys(guid=GUID, app_id=ID, app_guid=GUID, job_id=TEXT, job_key=TEXT, result=TEXT),
    "JobLog": keys(entries=array(keys(source=one_of("stdout", "stderr"), timestamp=MOMENT, data=TEXT))),
    "PictureSet": keys(content_guid=GUID),
    "Association": keys(
        app_guid=GUID, content_guid=GUID, oauth_integration_guid=GUID, oauth_integration_name=TEXT,
        oauth_integration_description=TEXT, oauth_integration_template=noun("IntegrationMake"),
        oauth_integration_auth_type=noun("IntegrationKind"), created_time=MOMENT,
    ),
}  # fmt: skip

CONTENT, BUNDLE, PERMISSION, VANITY = noun("Content"), noun("Bundle"), noun("Permission"), noun("Vanity")
