"""Verbs on content, bundles, deployments, variables, sharing and workers; and the routes they give the gateway."""

from pilothouse.content.service.activity import Published, activity, published_counts
from pilothouse.content.service.bundles import add_bundle, bundles, delete_bundle, get_bundle, packages_of
from pilothouse.content.service.content import (
    content_of_id,
    create_content,
    delete_content,
    get_content,
    update_content,
)
from pilothouse.content.service.data import Dataset, datasets_of, readers_of
from pilothouse.content.service.deployments import (
    Build,
    activate,
    build,
    build_output,
    builds,
    deploy,
    deployments,
    find_build,
    stop_build,
)
from pilothouse.content.service.describing import (
    favourites_of,
    feature,
    keep_at_hand,
    set_thumbnail,
    thumbnail,
    thumbnails_of,
)
from pilothouse.content.service.endorsing import endorse, endorsements_of, may_endorse, name_steward, stewards, withdraw
from pilothouse.content.service.handing import given_away, hand_over, hand_over_all, owned_by, take_back
from pilothouse.content.service.instrumentation import UsageWanted, Used, usage_page
from pilothouse.content.service.integrations import content_integrations, set_integrations
from pilothouse.content.service.jobs import cores_lately, get_job, jobs, running_jobs, stop_job
from pilothouse.content.service.manifests import read_manifest
from pilothouse.content.service.packages import UsedPackage, all_packages_used, packages_used
from pilothouse.content.service.personal import leave_content, personal_content
from pilothouse.content.service.requests import (
    answer_request,
    ask_for_access,
    content_to_ask_for,
    open_request,
    put_away_request,
    request_of,
    requests_made,
    requests_of,
    requests_to_answer,
)
from pilothouse.content.service.search import (
    Choices,
    Wanted,
    choices,
    content_ids,
    content_of_group,
    content_of_ids,
    count_content,
    found_content,
    list_content,
    page_of_content,
    vanities,
)
from pilothouse.content.service.sharing import (
    access_list,
    change_grant,
    grant,
    grant_of,
    resource_of,
    revoke_grant,
    share_of,
    shares_of,
)
from pilothouse.content.service.tagging import add_tag, remove_tag, set_tags, tags_of, tags_on
from pilothouse.content.service.tags import (
    change_tag,
    content_of_tag,
    create_tag,
    delete_tag,
    get_tag,
    list_tags,
)
from pilothouse.content.service.terms import LimitExceeded, Terms, WorkerRules
from pilothouse.content.service.threads import (
    get_thread,
    messages_of,
    note_live,
    note_read,
    open_thread,
    reply,
    settle,
    threads_of,
    threads_to_answer,
    threads_told,
    waiting_counts,
)
from pilothouse.content.service.usage import Span, Visits, load_of, people_of, usage_of, visitors_of
from pilothouse.content.service.vanity import clear_vanity, set_vanity, vanity_of, vanity_paths
from pilothouse.content.service.variables import set_variables, variable_names, variable_values

__all__ = [
    "Build", "Choices", "Dataset", "LimitExceeded", "Published", "Span", "Terms", "UsageWanted", "Used", "UsedPackage", "Visits",
    "Wanted", "WorkerRules", "access_list", "activate", "activity", "add_bundle", "add_tag", "all_packages_used", "answer_request",
    "ask_for_access", "build", "build_output", "builds", "bundles", "change_grant", "change_tag", "choices", "clear_vanity",
    "content_ids", "content_integrations", "content_of_group", "content_of_id", "content_of_ids", "content_of_tag",
    "content_to_ask_for", "cores_lately", "count_content", "create_content", "create_tag", "datasets_of", "delete_bundle",
    "delete_content", "delete_tag", "deploy", "deployments", "endorse", "endorsements_of", "favourites_of", "feature", "find_build",
    "found_content", "get_bundle", "get_content", "get_job", "get_tag", "get_thread", "given_away", "grant", "grant_of", "hand_over",
    "hand_over_all", "jobs", "keep_at_hand", "leave_content", "list_content", "list_tags", "load_of", "may_endorse", "messages_of",
    "name_steward", "note_live", "note_read", "open_request", "open_thread", "owned_by", "packages_of", "packages_used",
    "page_of_content", "people_of", "personal_content", "published_counts", "put_away_request", "read_manifest", "readers_of",
    "remove_tag", "reply", "request_of", "requests_made", "requests_of", "requests_to_answer", "resource_of", "revoke_grant",
    "running_jobs", "set_integrations", "set_tags", "set_thumbnail", "set_vanity", "set_variables", "settle", "share_of", "shares_of",
    "stewards", "stop_build", "stop_job", "tags_of", "tags_on", "take_back", "threads_of", "threads_to_answer", "threads_told",
    "thumbnail", "thumbnails_of", "update_content", "usage_of", "usage_page", "vanities", "vanity_of", "vanity_paths",
    "variable_names", "variable_values", "visitors_of", "waiting_counts", "withdraw",
]  # fmt: skip
