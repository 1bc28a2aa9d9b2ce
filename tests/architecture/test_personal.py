"""Every column that leads to a person is known: it is handed out when they ask, and what becomes of it when they are erased is decided."""

from __future__ import annotations

import inspect

from pilothouse.app import personal
from pilothouse.content.service import personal as of_content
from pilothouse.identity.service import personal as of_identity
from pilothouse.testing.database import all_tables

GONE, LEFT, HANDED_OVER = "the row goes", "a number without a name stays", "somebody else becomes the owner, or nobody"
#: Add a new column here, and its table to `personal_data`, `personal_content` or `document`, and to the erasing beside it.
KNOWN = {
    ("group", "owner_id"): HANDED_OVER,
    ("membership", "user_id"): GONE,
    ("login", "user_id"): GONE,
    ("api_key", "user_id"): LEFT,
    ("signing_token", "user_id"): GONE,
    ("oauth_authorization", "user_id"): GONE,
    ("usage_event", "principal_id"): LEFT,
    ("task", "actor_id"): LEFT,
    ("audit_event", "actor_id"): LEFT,
    ("content", "owner_id"): HANDED_OVER,
    ("bundle", "created_by_id"): LEFT,
    ("deployment", "actor_id"): LEFT,
    ("access", "user_id"): GONE,
    ("favourite", "user_id"): GONE,
    ("access_request", "user_id"): GONE,
    ("access_request", "answered_by_id"): LEFT,
    ("thread", "user_id"): GONE,
    ("thread_message", "author_id"): GONE,
    ("endorsement", "user_id"): GONE,
    ("hand_over", "from_owner_id"): LEFT,
    ("hand_over", "to_owner_id"): LEFT,
    ("hand_over", "by_id"): LEFT,
    ("steward", "user_id"): GONE,
    ("steward", "named_by_id"): LEFT,
    ("announcement", "created_by_id"): LEFT,
    ("image_access", "user_id"): GONE,
    ("delegation", "user_id"): GONE,
}
NAMES = ("user_id", "owner_id", "actor_id", "principal_id", "by_id", "person_id", "author_id")


def test_every_column_that_leads_to_a_person_is_handed_out_and_its_end_is_decided() -> None:
    tables = all_tables().tables
    found = {
        (table.name, column.name)
        for table in tables.values()
        for column in table.columns
        if column.name.endswith(NAMES) or any(key.target_fullname == "user.id" for key in column.foreign_keys)
    }
    assert found == set(KNOWN)


def test_each_of_their_tables_is_read_where_the_document_is_written() -> None:
    text = "\n".join(inspect.getsource(module) for module in (personal, of_content, of_identity))
    classes = {mapper.class_.__tablename__: mapper.class_.__name__ for mapper in _mappers()}
    unread = [table for table, _ in KNOWN if classes[table] not in text and table != "audit_event"]
    assert unread == [] and "AuditFilter(about=" in text


def _mappers():  # type: ignore[no-untyped-def]
    from pilothouse.db import Row

    all_tables()
    return Row.registry.mappers
