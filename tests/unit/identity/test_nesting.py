"""Groups in groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.factories.identity import add_group, add_user, principal

from pilothouse.base.access import SYSTEM, Role
from pilothouse.base.errors import Denied
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.contract import GroupCycle, MemberAlready, MemberUnknown
from pilothouse.identity.models import Group


def nest(database: Database, outer: Group, inner: Group) -> None:
    with database.write() as tx:
        service.nest_group(tx, SYSTEM, service.get_group(tx, outer.guid), inner=service.get_group(tx, inner.guid))


def chain(database: Database, *names: str) -> list[Group]:
    """Each holds the one before it."""
    groups = [add_group(database, name) for name in names]
    for inner, outer in pairwise(groups):
        nest(database, outer, inner)
    return groups


def test_members_of_a_group_count_in_all_around_it(database: Database) -> None:
    lab, plant, company = chain(database, "Lab", "Plant", "Company")
    zoe = add_user(database, "zoe")
    with database.write() as tx:
        service.add_member(tx, SYSTEM, lab, user=zoe)
    assert principal(database, zoe).group_names == ("Lab", "Plant", "Company")
    assert principal(database, zoe).groups == {lab.id, plant.id, company.id}
    with database.read() as tx:
        assert service.members(tx, SYSTEM, company) == []
        assert [g.name for g in service.inner_groups(tx, SYSTEM, company)] == ["Plant"]


def test_a_way_around_counts_once(database: Database) -> None:
    lab, _plant, company = chain(database, "Lab", "Plant", "Company")
    nest(database, company, lab)
    zoe = add_user(database, "zoe")
    with database.write() as tx:
        for group in (lab, company):
            service.add_member(tx, SYSTEM, group, user=zoe)
    assert principal(database, zoe).group_names == ("Lab", "Company", "Plant")


@pytest.mark.parametrize(("outer", "inner"), [(0, 0), (0, 1), (0, 2)])
def test_a_circle_is_refused(database: Database, outer: int, inner: int) -> None:
    groups = chain(database, "Lab", "Plant", "Company")
    with pytest.raises(GroupCycle):
        nest(database, groups[outer], groups[inner])


def test_nesting_twice_is_told_and_it_ends(database: Database) -> None:
    lab, plant = chain(database, "Lab", "Plant")
    zoe = add_user(database, "zoe")
    with database.write() as tx:
        service.add_member(tx, SYSTEM, lab, user=zoe)
    with pytest.raises(MemberAlready):
        nest(database, plant, lab)
    with database.write() as tx:
        service.unnest_group(tx, SYSTEM, service.get_group(tx, plant.guid), inner=service.get_group(tx, lab.guid))
    assert principal(database, zoe).group_names == ("Lab",)
    with pytest.raises(MemberUnknown), database.write() as tx:
        service.unnest_group(tx, SYSTEM, service.get_group(tx, plant.guid), inner=service.get_group(tx, lab.guid))


def test_only_who_may_change_the_outer_group_nests(database: Database) -> None:
    lab, plant = add_group(database, "Lab"), add_group(database, "Plant")
    henrik = principal(database, add_user(database, "henrik", Role.PUBLISHER))
    for verb in (service.nest_group, service.unnest_group):
        with pytest.raises(Denied), database.write() as tx:
            verb(tx, henrik, plant, inner=lab)


def test_a_deleted_group_is_in_no_other(database: Database) -> None:
    lab, plant, _ = chain(database, "Lab", "Plant", "Company")
    zoe = add_user(database, "zoe")
    with database.write() as tx:
        service.add_member(tx, SYSTEM, lab, user=zoe)
        service.delete_group(tx, SYSTEM, service.get_group(tx, plant.guid))
    assert principal(database, zoe).group_names == ("Lab",)
