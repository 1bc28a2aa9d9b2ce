"""Verbs on people, groups, logins and keys; and `Resolver`, which turns a request's credentials into a `Principal`."""

from pilothouse.identity.contract import cookie_name
from pilothouse.identity.service.attempts import Attempt, attempt
from pilothouse.identity.service.directory import departments, directory
from pilothouse.identity.service.entering import CODE_LIFE, CodeInvalid, enter, issue_code
from pilothouse.identity.service.groups import (
    add_member,
    create_group,
    delete_group,
    find_group,
    get_group,
    list_groups,
    list_members,
    members,
    remove_member,
    view_group,
)
from pilothouse.identity.service.keys import (
    NewKey,
    bootstrap,
    create_key,
    get_key,
    keys,
    principal_of_key,
    revoke_job_keys,
    revoke_key,
)
from pilothouse.identity.service.logins import (
    LoginUnknown,
    SignedIn,
    end_login,
    first_login,
    get_login,
    last_used,
    logins,
    principal_of_cookie,
    principal_of_user,
    sign_in,
)
from pilothouse.identity.service.mail import mail, send_test_mail, want_mail
from pilothouse.identity.service.nesting import (
    GroupSize,
    group_sizes,
    groups_of,
    inner_groups,
    nest_group,
    outer_groups,
    people_in,
    unnest_group,
)
from pilothouse.identity.service.personal import any_user, erase_user, facts_of_row, personal_data
from pilothouse.identity.service.resolver import Resolver
from pilothouse.identity.service.signatures import RequestLine
from pilothouse.identity.service.tokens import announce_token, claim_token, get_token, revoke_token, tokens
from pilothouse.identity.service.users import (
    Account,
    Found,
    People,
    check_password,
    create_user,
    find_user,
    get_user,
    list_users,
    lock_user,
    names_hold,
    rename_user,
    reset_password,
    resource_of_user,
    set_role,
    update_user,
    usernames,
    users_of_ids,
    view_user,
)

__all__ = [
    "CODE_LIFE", "Account", "Attempt", "CodeInvalid", "Found", "GroupSize", "LoginUnknown", "NewKey", "People", "RequestLine",
    "Resolver", "SignedIn", "add_member", "announce_token", "any_user", "attempt", "bootstrap", "check_password", "claim_token",
    "cookie_name", "create_group", "create_key", "create_user", "delete_group", "departments", "directory", "end_login", "enter",
    "erase_user", "facts_of_row", "find_group", "find_user", "first_login", "get_group", "get_key", "get_login", "get_token",
    "get_user", "group_sizes", "groups_of", "inner_groups", "issue_code", "keys", "last_used", "list_groups", "list_members",
    "list_users", "lock_user", "logins", "mail", "members", "names_hold", "nest_group", "outer_groups", "people_in", "personal_data",
    "principal_of_cookie", "principal_of_key", "principal_of_user", "remove_member", "rename_user", "reset_password",
    "resource_of_user", "revoke_job_keys", "revoke_key", "revoke_token", "send_test_mail", "set_role", "sign_in", "tokens",
    "unnest_group", "update_user", "usernames", "users_of_ids", "view_group", "view_user", "want_mail",
]  # fmt: skip
