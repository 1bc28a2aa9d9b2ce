"""The trail can't be erased, so it holds people as ids: no column of a person is tracked, and no verb lets a name slip in."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import String, select
from tests.factories.identity import PASSWORD, add_user, principal, sign_in

from pilothouse.audit.contract import AUDITED, Verdict
from pilothouse.audit.models import Event
from pilothouse.base.access import SYSTEM, Role
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.contract import WrongPassword
from pilothouse.identity.models import ApiKey, Login, User
from pilothouse.testing.database import all_tables

#: Columns of text of the tables that hold people which say nothing of who somebody is.
IMPERSONAL = {"role", "role_cap", "provider", "bound_kind", "host"}
#: Where text of a person is tracked nevertheless, and why.
KEPT = {("login", "address"): "of a failed sign-in: the only trace of a guesser, who is nobody we know"}
PEOPLE = {"user": User, "login": Login, "api_key": ApiKey}
#: Names of columns that are personal wherever they stand.
ANYWHERE = {"username", "email", "first_name", "last_name", "display_name", "department", "site", "user_agent", "external_id", "address",
            "created_by", "author", "description", "message", "locked_message", "value", "secret", "password"}  # fmt: skip


def tracked() -> list[tuple[str, str]]:
    return [(noun, field) for noun, fields in AUDITED.items() for field, v in fields.items() if v is Verdict.TRACK]


def test_no_personal_column_of_any_audited_table_is_tracked() -> None:
    assert len(tracked()) > 50
    assert {pair for pair in tracked() if pair[1] in ANYWHERE} == set(KEPT)


@pytest.mark.parametrize("noun", PEOPLE)
def test_of_the_tables_of_people_only_ids_states_and_times_are_tracked(noun: str) -> None:
    columns = PEOPLE[noun].__table__.columns
    texts = {column.name for column in columns if isinstance(column.type, String)} - IMPERSONAL
    assert texts, "the table has text of people"
    assert {(noun, field) for field in texts if AUDITED[noun].get(field) is Verdict.TRACK} <= set(KEPT)


def test_every_field_of_a_noun_that_is_a_table_is_one_of_its_columns_or_named_here() -> None:
    """So that a renamed column can't hide behind its old verdict."""
    tables = all_tables().tables
    no_columns = {
        ("user", "password"),
        ("group", "user_id"),
        ("group", "inner_id"),
        ("image", "user_id"),
        ("image", "group_id"),
        ("content", "activate"),
        ("content", "tags"),
        ("content", "thumbnail"),
        ("variable", "value"),
    }
    strays = {
        (noun, field)
        for noun, fields in AUDITED.items()
        if noun in tables
        for field in fields
        if field not in tables[noun].columns
    }
    assert strays <= no_columns


def test_whatever_is_done_to_a_person_leaves_no_word_of_them_in_the_trail(database: Database) -> None:
    words = {"username": "wanda.wolf", "email": "wanda@veridia.example", "first_name": "Wanda", "last_name": "Wolf",
             "department": "Dyeing", "site": "Wuppertal", "title": "Wizard", "locale": "de-WF", "timezone": "Pacific/Wallis"}  # fmt: skip
    username = words.pop("username")
    user = add_user(database, username, role=Role.PUBLISHER, **words)
    sign_in(database, username, address="198.51.100.77", user_agent="Wanda's browser")
    with pytest.raises(WrongPassword):
        sign_in(database, username, "wrong-password")
    me = principal(database, user)
    with database.write() as tx:
        row = service.get_user(tx, user.guid)
        service.update_user(tx, me, row, changes={name: f"{value} 2" for name, value in words.items()})
        key = service.create_key(tx, me, row, name="Wanda's laptop")
        service.revoke_key(tx, me, key.row)
        service.set_role(tx, SYSTEM, row, role=Role.VIEWER)
        service.reset_password(tx, SYSTEM, row, password=f"{PASSWORD}-2", password_hash="new")
        service.lock_user(tx, SYSTEM, row, locked=True)
        service.lock_user(tx, SYSTEM, row, locked=False)
        service.add_member(tx, SYSTEM, service.create_group(tx, SYSTEM, name="Quality"), user=row)
    with database.read() as tx:
        events = tx.scalars(select(Event)).all()
        trail = json.dumps([[e.name, e.actor_kind, e.via, e.subject_kind, e.changes] for e in events])
    assert len(events) >= 11
    for word in (username, *words.values(), "Wanda", "198.51.100.77"):
        assert word not in trail
