"""The server, people, groups, keys (connect-wire-api §2.1, §3.5)."""

from __future__ import annotations

from pilothouse.connect_api.nouns.words import (
    ANYTHING,
    COUNT,
    GUID,
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

ROLES = one_of("viewer", "publisher", "administrator")
ACCESS = one_of("all", "logged_in", "acl")
PERSON = {
    "guid": GUID, "username": TEXT, "email": TEXT, "first_name": TEXT, "last_name": TEXT, "user_role": ROLES,
    "created_time": MOMENT, "updated_time": MOMENT, "active_time": maybe(MOMENT), "confirmed": TRUTH, "locked": TRUTH,
}  # fmt: skip
_KEY = {"id": WHOLE, "name": TEXT, "created_time": MOMENT}
_LIMITS = (
    "min_processes", "max_processes", "max_conns_per_process", "init_timeout", "idle_timeout", "connection_timeout",
    "read_timeout", "min_processes_limit", "max_processes_limit", "memory_request", "memory_limit", "amd_gpu_limit",
    "nvidia_gpu_limit", "max_memory_request", "max_memory_limit", "max_amd_gpu_limit", "max_nvidia_gpu_limit",
)  # fmt: skip
_INSTALLATION = keys(version=TEXT, cluster_name=always("Local"), image_name=TEXT, publishable=TRUTH)
_CACHE = {"language": TEXT, "version": TEXT, "image_name": TEXT}

NOUNS: dict[str, Schema] = {
    "ServerSettings": keys(
        version=TEXT, hostname=TEXT, authentication=keys(name=TEXT, handles_credentials=TRUTH),
        license=keys(**{
            name: TRUTH for name in ("allow-apis", "current-user-execution", "enable-launcher", "oauth-integrations")
        }),
        runtimes=array(TEXT), git_enabled=TRUTH, git_available=TRUTH, execution_type=one_of("native", "Kubernetes"),
        enable_runtime_constraints=TRUTH, enable_image_management=TRUTH, default_image_selection_enabled=TRUTH,
        default_environment_management_selection=TRUTH, default_r_environment_management=TRUTH,
        default_py_environment_management=TRUTH, oauth_integrations_enabled=TRUTH,
    ),
    "ContentSettings": keys(
        access_types=array(ACCESS), run_as=TEXT, run_as_group=TEXT, run_as_current_user=TRUTH
    ),
    "Scheduler": keys(
        **dict.fromkeys(_LIMITS, COUNT),
        **dict.fromkeys(("load_factor", "cpu_request", "cpu_limit", "max_cpu_request", "max_cpu_limit"), NUMBER),
    ),
    "Installations": keys(
        installations=array(_INSTALLATION),
        optional={
            "api_enabled": TRUTH, "enabled": TRUTH,
            "status": keys(enabled=TRUTH, licensed=TRUTH, available=TRUTH, usable=TRUTH, configured=TRUTH),
        },
    ),
    "User": keys(**PERSON),
    "LegacyUser": keys(id=WHOLE, **PERSON),
    "Key": keys(**_KEY),
    "NewKey": keys(**_KEY, key=TEXT),
    "Group": keys(guid=GUID, name=TEXT, owner_guid=maybe(GUID)),
    "GroupContent": keys(
        content_guid=GUID, content_name=TEXT, content_title=maybe(TEXT), access_type=ACCESS,
        permissions=array(keys(
            principal_guid=GUID, principal_name=TEXT, principal_role=one_of("viewer", "owner"), principal_type=always("group"),
        )),
    ),
    "RemoteUser": keys(guid=maybe(GUID), username=TEXT, temp_ticket=TEXT),
    "RemoteGroup": keys(guid=maybe(GUID), name=TEXT, temp_ticket=TEXT),
    "Timezone": keys(timezone=TEXT, offset={"type": "string", "pattern": r"^[+-]\d\d:\d\d$"}),
    "CheckRun": keys(
        id=TEXT, status=one_of("pending", "running", "done", "failed"), error=TEXT, created_time=MOMENT,
        completed_time=maybe(MOMENT),
    ),
    "CheckResult": keys(
        id=TEXT, group=keys(name=TEXT), name=TEXT, status=one_of("passed", "warning", "failed"), output=TEXT
    ),
    "RuntimeCaches": keys(caches=array(keys(**_CACHE))),
    "RuntimeCacheCleared": keys(**_CACHE, task_id=maybe(TEXT)),
    "Task": keys(
        id=TEXT, output=array(TEXT), result=maybe(keys(type=TEXT, data=ANYTHING)), finished=TRUTH, code=WHOLE, error=TEXT,
        last=COUNT,
    ),
    "TaskStarted": keys(task_id=TEXT),
}  # fmt: skip

USER, LEGACY_USER, GROUP, TASK = noun("User"), noun("LegacyUser"), noun("Group"), noun("Task")
