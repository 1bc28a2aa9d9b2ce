"""Verbs on groups."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from tests.factories.identity import add_group, add_user, principal

from pilothouse.audit.models import Event
from pilothouse.base.access import ANONYMOUS, SYSTEM, Principal, ResourceRef, Role
from pilothouse.base.errors import Denied, NotAuthenticated
from pilothouse.db import Database, Tx
from pilothouse.identity import service
from pilothouse.identity.contract import GroupNameTaken, GroupUnknown
from pilothouse.identity.models import Group, User
from pilothouse.identity.service.groups import GroupInvalid

Verb = Callable[[Tx, Principal, Group, User], object]
VERBS: dict[str, Verb] = {
    "create": lambda tx, actor, _, __: service.create_group(tx, actor, name="Plant 4"),
    "add": lambda tx, actor, group, user: service.add_member(tx, actor, group, user=user),
    "remove": lambda tx, actor, group, user: service.remove_member(tx, actor, group, user=user),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_a_viewer_may_not_change_groups(sqlite_database: Database, verb: Verb) -> None:
    group, clara = add_group(sqlite_database), add_user(sqlite_database, "clara.voss")
    with pytest.raises(Denied), sqlite_database.write() as tx:
        verb(tx, principal(sqlite_database, clara), group, clara)


@pytest.mark.parametrize("name", ["add", "remove"])
def test_a_publisher_may_not_change_the_group_of_another(sqlite_database: Database, name: str) -> None:
    group, henrik = add_group(sqlite_database), add_user(sqlite_database, "henrik.dahl", Role.PUBLISHER)
    with pytest.raises(Denied), sqlite_database.write() as tx:
        VERBS[name](tx, principal(sqlite_database, henrik), group, henrik)


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_a_job_may_not_change_the_groups_of_its_owner(sqlite_database: Database, verb: Verb) -> None:
    henrik = add_user(sqlite_database, "henrik.dahl", Role.PUBLISHER)
    group = add_group(sqlite_database, owner=principal(sqlite_database, henrik))
    job = Principal(henrik.id, Role.PUBLISHER, key=1, bound_to=ResourceRef("content", 1))
    with pytest.raises(Denied), sqlite_database.write() as tx:
        verb(tx, job, group, henrik)


def test_nobody_may_see_groups_or_members(sqlite_database: Database) -> None:
    group = add_group(sqlite_database)
    with sqlite_database.read() as tx:
        with pytest.raises(NotAuthenticated):
            service.list_groups(tx, ANONYMOUS)
        with pytest.raises(NotAuthenticated):
            service.members(tx, ANONYMOUS, group)


def test_the_maker_of_a_group_changes_it(sqlite_database: Database) -> None:
    henrik, clara = add_user(sqlite_database, "henrik.dahl", Role.PUBLISHER), add_user(sqlite_database, "clara.voss")
    owner = principal(sqlite_database, henrik)
    group = add_group(sqlite_database, owner=owner)
    with sqlite_database.write() as tx:
        service.add_member(tx, owner, group, user=clara)
        assert [u.username for u in service.members(tx, owner, group)] == ["clara.voss"]
    assert principal(sqlite_database, clara).group_names == ("Quality circle",)
    assert principal(sqlite_database, clara).groups == {group.id}


@pytest.mark.parametrize("again", ["Quality circle", "QUALITY Circle", "  Quality circle "])
def test_a_group_name_is_unique_whatever_its_case(database: Database, again: str) -> None:
    add_group(database, "Quality circle")
    with pytest.raises(GroupNameTaken):
        add_group(database, again)


def test_a_name_with_letters_of_other_alphabets_is_unique_too(database: Database) -> None:
    add_group(database, "Ärzte")
    with pytest.raises(GroupNameTaken):
        add_group(database, "Ärzte")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "\ud800", "x" * 256])
def test_names_that_are_no_line_are_refused(database: Database, name: str) -> None:
    with pytest.raises(GroupInvalid):
        add_group(database, name)


def test_members_keep_the_order_in_which_they_joined(database: Database) -> None:
    group = add_group(database)
    people = [add_user(database, name) for name in ("zoe", "amara", "mia")]
    with database.write() as tx:
        for user in (*people, people[0]):
            service.add_member(tx, SYSTEM, group, user=user)
        assert [u.username for u in service.members(tx, SYSTEM, group)] == ["zoe", "amara", "mia"]


def test_removing_somebody_who_is_not_in_tells_nothing(database: Database) -> None:
    group, zoe = add_group(database), add_user(database, "zoe")
    with database.write() as tx:
        service.add_member(tx, SYSTEM, group, user=zoe)
    for _ in range(2):
        with database.write() as tx:
            service.remove_member(tx, SYSTEM, group, user=zoe)
            assert service.members(tx, SYSTEM, group) == []
    with database.read() as tx:
        removed = select(func.count()).where(Event.name == "identity:group:member-removed")
        assert tx.scalar(removed) == 1


def test_groups_are_found_by_the_beginning_of_their_name(database: Database) -> None:
    for name in ("Plant 4", "plant 3", "Lab"):
        add_group(database, name)
    with database.read() as tx:
        assert [g.name for g in service.list_groups(tx, SYSTEM, prefix="PLANT").items] == ["plant 3", "Plant 4"]
        assert service.list_groups(tx, SYSTEM, prefix="\x00").items == []
        assert service.list_groups(tx, SYSTEM, page=2, page_size=2).total == 3


def test_an_unknown_group_is_told(database: Database) -> None:
    with database.read() as tx, pytest.raises(GroupUnknown):
        service.get_group(tx, "x\x00")
