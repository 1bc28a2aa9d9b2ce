"""Verbs on integrations, on which content may use them, and on what people let us do elsewhere."""

from pilothouse.integrations.service.delegations import (
    Tools,
    begin_delegation,
    delegations,
    end_delegation,
    get_delegation,
    leave_delegations,
    personal_delegations,
    seconds_left,
    tokens_of_person,
)
from pilothouse.integrations.service.integrations import (
    associations_of,
    create_integration,
    delete_integration,
    forget_content,
    get_integration,
    integration_of,
    integrations,
    place_of,
    replace_associations,
    terms_of,
    update_integration,
    users_of,
)
from pilothouse.integrations.service.provider import Tokens, sign_in_address, tokens_for_code, tokens_of_account
from pilothouse.integrations.service.states import Begun, States

__all__ = [
    "Begun", "States", "Tokens", "Tools", "associations_of", "begin_delegation", "create_integration", "delegations",
    "delete_integration", "end_delegation", "forget_content", "get_delegation", "get_integration", "integration_of", "integrations",
    "leave_delegations", "personal_delegations", "place_of", "replace_associations", "seconds_left", "sign_in_address", "terms_of",
    "tokens_for_code", "tokens_of_account", "tokens_of_person", "update_integration", "users_of",
]  # fmt: skip
