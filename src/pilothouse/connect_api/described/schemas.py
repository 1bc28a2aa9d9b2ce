"""What nouns look like on the wire, as JSON Schema. All keys named here are always there; clients ignore others."""

from __future__ import annotations

from typing import Any

from pilothouse.connect_api.shapes import SETTABLE

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}
GUID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
#: A number of ours that clients keep as text.
ID: Schema = {"type": "string", "pattern": "^[0-9]+$"}
ANYTHING: Schema = {}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, NOTHING]}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def array(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def noun(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def keys(*, optional: dict[str, Schema] | None = None, **fields: Schema) -> Schema:
    """An object with these keys, and maybe the ``optional`` ones."""
    return {"type": "object", "properties": {**fields, **(optional or {})}, "required": list(fields)}


def exactly(**fields: Schema) -> Schema:
    """An object with these keys and no other: clients fail over one more."""
    return {**keys(**fields), "additionalProperties": False}


def offset_page(of: Schema) -> Schema:
    return exactly(results=array(of), current_page=WHOLE, total=WHOLE)


_NUMBERS = ("load_factor", "cpu_request", "cpu_limit")
_TRUTHS = ("default_r_environment_management", "default_py_environment_management")
_TEXTS = ("run_as", "service_account_name", "default_image_name", "default_environment_guid")


def _settable(name: str) -> Schema:
    if name == "run_as_current_user":
        return TRUTH
    return maybe(TRUTH if name in _TRUTHS else NUMBER if name in _NUMBERS else TEXT if name in _TEXTS else WHOLE)


_OWNER = keys(guid=GUID, username=TEXT, first_name=TEXT, last_name=TEXT)
_PERSON = {
    "guid": GUID, "username": TEXT, "email": TEXT, "first_name": TEXT, "last_name": TEXT,
    "user_role": one_of("viewer", "publisher", "administrator"), "created_time": MOMENT, "updated_time": MOMENT,
    "active_time": maybe(MOMENT), "confirmed": TRUTH, "locked": TRUTH,
}  # fmt: skip
_VERSIONS = {name: maybe(TEXT) for name in ("r_version", "py_version", "quarto_version")}
ACCESS = one_of("all", "logged_in", "acl")
SETTABLE_FIELDS = {name: _settable(name) for name in SETTABLE}

_PACKAGE = {
    "language": one_of("python", "r"), "language_version": maybe(TEXT), "name": TEXT, "version": TEXT, "hash": maybe(TEXT),
}  # fmt: skip


def _job(number: Schema, text: Schema, at: Schema) -> dict[str, Schema]:
    """Of the current and of the unversioned protocol: ids and times differ."""
    return {
        "id": number, "pid": number, "ppid": number, "key": text, "remote_id": maybe(text), "app_id": number, "content_id": number,
        "content_guid": GUID, "variant_id": number, "bundle_id": number, "start_time": maybe(at), "end_time": maybe(at),
        "last_heartbeat_time": maybe(at), "queued_time": maybe(at), "queue_name": maybe(text), "tag": text, "exit_code": maybe(WHOLE),
        "status": {"enum": [0, 1, 2]}, "hostname": maybe(text), "cluster": maybe(text), "image": maybe(text), "run_as": maybe(text),
    }  # fmt: skip


NOUNS: dict[str, Schema] = {
    "Error": keys(code=WHOLE, error=TEXT, payload=ANYTHING),
    "User": keys(**_PERSON),
    "LegacyUser": keys(id=WHOLE, **_PERSON),
    "Group": keys(guid=GUID, name=TEXT, owner_guid=maybe(GUID)),
    "Key": keys(id=WHOLE, name=TEXT, created_time=MOMENT),
    "NewKey": keys(id=WHOLE, name=TEXT, created_time=MOMENT, key=TEXT),
    "Content": keys(
        guid=GUID, name=TEXT, title=maybe(TEXT), id=ID, description=TEXT, content_category=TEXT, access_type=ACCESS, locked=TRUTH,
        locked_message=TEXT, extension=TRUTH, **SETTABLE_FIELDS, environment_guid=maybe(GUID), cluster_name=maybe(TEXT),
        image_name=maybe(TEXT), r_environment_management=maybe(TRUTH), py_environment_management=maybe(TRUTH), created_time=MOMENT,
        last_deployed_time=MOMENT, bundle_id=maybe(ID), app_mode=TEXT, parameterized=TRUTH, **_VERSIONS, node_version=maybe(TEXT),
        owner_guid=GUID, app_role=one_of("owner", "editor", "viewer", "none"), content_url=TEXT, dashboard_url=TEXT,
        optional={"owner": _OWNER, "vanity_url": TEXT, "load_group": maybe(TEXT), "requests_per_minute": maybe(WHOLE)},
    ),
    "LegacyContent": keys(
        id=WHOLE, guid=GUID, name=TEXT, title=maybe(TEXT), access_type=ACCESS, url=TEXT, vanity_url=TRUTH, bundle_id=maybe(WHOLE),
        app_mode=WHOLE, content_category=TEXT, created_time=MOMENT, last_deployed_time=MOMENT, build_status=WHOLE, **_VERSIONS,
        description=TEXT, app_role=TEXT, owner_username=TEXT, owner_guid=GUID, owner_email=TEXT, owner_locked=TRUTH,
    ),
    "Permission": keys(
        id=ID, content_guid=GUID, principal_guid=GUID, principal_type=one_of("user", "group"), role=one_of("owner", "viewer"),
        principal_name=TEXT,
    ),
    "Vanity": keys(content_guid=GUID, path=TEXT, created_time=MOMENT),
    "Bundle": keys(
        id=ID, content_guid=GUID, created_time=MOMENT, created_by=maybe(GUID), created_by_name=maybe(TEXT), created_by_user=TRUTH,
        cluster_name=maybe(TEXT), image_name=maybe(TEXT), environment_guid=maybe(GUID), **_VERSIONS,
        r_environment_management=TRUTH, py_environment_management=TRUTH, active=TRUTH, size=WHOLE,
        metadata=keys(**{
            name: maybe(TEXT)
            for name in ("source", "source_repo", "source_branch", "source_commit", "archive_md5", "archive_sha1")
        }),
    ),
    "Task": keys(
        id=TEXT, output=array(TEXT), result=maybe({"type": "object"}), finished=TRUTH, code=WHOLE, error=TEXT, last=WHOLE
    ),
    "TaskStarted": keys(task_id=TEXT),
    "Job": keys(**_job(TEXT, TEXT, MOMENT)),
    "LegacyJob": keys(**_job(WHOLE, TEXT, WHOLE)),
    "JobStopped": keys(guid=GUID, app_id=ID, app_guid=GUID, job_id=TEXT, job_key=TEXT, result=TEXT),
    "LegacyTask": keys(
        id=TEXT, user_id=WHOLE, status=array(TEXT), result=maybe({"type": "object"}), finished=TRUTH, code=WHOLE, error=TEXT,
        last_status=WHOLE,
    ),
    "LegacyBundle": keys(
        id=WHOLE, app_id=WHOLE, user_id=maybe(WHOLE), created_time=MOMENT, updated_time=MOMENT, is_active=TRUTH, size=WHOLE,
        archive_md5=maybe(TEXT), archive_sha1=maybe(TEXT),
    ),
    "Package": keys(**_PACKAGE),
    "PackageUse": keys(**_PACKAGE, bundle_id=ID, app_id=ID, app_guid=GUID),
    "JobLog": keys(entries=array(keys(source=one_of("stdout", "stderr"), timestamp=MOMENT, data=TEXT))),
    "ServerSettings": keys(
        version=TEXT, hostname=TEXT, authentication=keys(name=TEXT), license={"type": "object"}, runtimes=array(TEXT),
        git_enabled=TRUTH, git_available=TRUTH, execution_type=one_of("native", "Kubernetes"), oauth_integrations_enabled=TRUTH,
    ),
    "Installations": keys(
        installations=array(keys(version=TEXT, cluster_name=TEXT, image_name=TEXT)), optional={"api_enabled": TRUTH}
    ),
}  # fmt: skip
