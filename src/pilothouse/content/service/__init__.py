"""Verbs on content, bundles, deployments, variables, sharing and workers; and the routes they give the gateway."""

from pilothouse.content.service.bundles import add_bundle, bundles, delete_bundle, get_bundle, packages_of
from pilothouse.content.service.content import (
    content_of_id,
    create_content,
    delete_content,
    get_content,
    update_content,
)
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
    set_tags,
    set_thumbnail,
    tags_of,
    thumbnail,
    thumbnails_of,
)
from pilothouse.content.service.jobs import get_job, jobs, running_jobs, stop_job
from pilothouse.content.service.manifests import read_manifest
from pilothouse.content.service.packages import UsedPackage, all_packages_used, packages_used
from pilothouse.content.service.personal import leave_content, personal_content
from pilothouse.content.service.search import (
    Choices,
    Wanted,
    choices,
    content_ids,
    content_of_ids,
    count_content,
    list_content,
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
from pilothouse.content.service.terms import LimitExceeded, Terms, WorkerRules
from pilothouse.content.service.usage import Span, load_of, people_of, usage_of, visitors_of
from pilothouse.content.service.vanity import clear_vanity, set_vanity, vanity_of, vanity_paths
from pilothouse.content.service.variables import set_variables, variable_names, variable_values

__all__ = [
    "Build", "Choices", "LimitExceeded", "Span", "Terms", "UsedPackage", "Wanted", "WorkerRules", "access_list", "activate",
    "add_bundle", "all_packages_used", "build", "build_output", "builds", "bundles", "change_grant", "choices", "clear_vanity", "content_ids",
    "content_of_id", "content_of_ids", "count_content", "create_content", "delete_bundle", "delete_content", "deploy",
    "deployments", "favourites_of", "feature", "find_build", "get_bundle", "get_content", "get_job", "grant", "grant_of",
    "jobs", "keep_at_hand", "leave_content", "list_content", "load_of", "packages_of", "packages_used", "people_of",
    "personal_content", "read_manifest", "resource_of", "revoke_grant", "running_jobs", "set_tags", "set_thumbnail",
    "set_vanity", "set_variables", "share_of", "shares_of", "stop_build", "stop_job", "tags_of", "thumbnail", "thumbnails_of",
    "update_content", "usage_of", "vanities", "vanity_of", "vanity_paths", "variable_names", "variable_values", "visitors_of",
]  # fmt: skip
