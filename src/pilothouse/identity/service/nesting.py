"""Groups in groups: whose members count as whose, to any depth, never in a circle."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, distinct, func, literal, select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.db import Tx
from pilothouse.identity.contract import GroupCycle, MemberAlready, MemberUnknown
from pilothouse.identity.models import Group, Membership, Nesting, User
from pilothouse.identity.service.groups import resource_of_group


def nest_group(tx: Tx, actor: Principal, group: Group, *, inner: Group) -> None:
    """From now on all members of ``inner`` count as members of ``group``. Raises `GroupCycle`, `MemberAlready`."""
    require(actor, Permission.GROUP_UPDATE, resource_of_group(group))
    tx.execute(select(Group.id).order_by(Group.id).with_for_update())  # two halves of a circle must not be made at once
    if inner.id == group.id or tx.scalar(_around([group.id]).where(Group.id == inner.id)) is not None:
        raise GroupCycle
    if _nesting(tx, group, inner) is not None:
        raise MemberAlready(f"The group “{inner.name}” is in “{group.name}” already.")
    tx.add(Nesting(outer_id=group.id, inner_id=inner.id))
    tx.flush()
    record(tx, actor, "identity:group:nested", ResourceRef("group", group.id), after={"inner_id": inner.id})


def unnest_group(tx: Tx, actor: Principal, group: Group, *, inner: Group) -> None:
    """End it. Raises `MemberUnknown`."""
    require(actor, Permission.GROUP_UPDATE, resource_of_group(group))
    nesting = _nesting(tx, group, inner)
    if nesting is None:
        raise MemberUnknown(f"The group “{inner.name}” is not in “{group.name}”.")
    tx.delete(nesting)
    tx.flush()
    record(tx, actor, "identity:group:unnested", ResourceRef("group", group.id), before={"inner_id": inner.id})


def inner_groups(tx: Tx, actor: Principal, group: Group) -> list[Group]:
    """The groups that are in this one themselves, by name."""
    require(actor, Permission.GROUP_LIST)
    chosen = select(Group).join(Nesting, Nesting.inner_id == Group.id).where(Nesting.outer_id == group.id)
    return list(tx.scalars(chosen.order_by(func.lower(Group.name))))


def outer_groups(tx: Tx, actor: Principal, group: Group) -> list[Group]:
    """The groups that this one is in itself, by name."""
    require(actor, Permission.GROUP_LIST)
    chosen = select(Group).join(Nesting, Nesting.outer_id == Group.id).where(Nesting.inner_id == group.id)
    return list(tx.scalars(chosen.order_by(func.lower(Group.name))))


def people_in(tx: Tx, actor: Principal, group: Group) -> int:
    """How many people count in it: who joined it or a group in it, to any depth, each once."""
    require(actor, Permission.GROUP_LIST)
    inside = select(literal(group.id).label("id")).cte("inside", recursive=True)
    inside = inside.union(select(Nesting.inner_id).join(inside, Nesting.outer_id == inside.c.id))
    joined = select(func.count(distinct(Membership.user_id))).join(inside, Membership.group_id == inside.c.id)
    alive = joined.join(User, User.id == Membership.user_id).where(User.deleted_at.is_(None))
    return tx.scalar(alive) or 0


@dataclass(frozen=True)
class GroupSize:
    """How many people joined a group themselves, and how many groups are in it."""

    people: int
    groups: int


def group_sizes(tx: Tx, ids: Collection[int]) -> dict[int, GroupSize]:
    """By group id. For groups that the caller may see."""
    people = select(Membership.group_id, func.count()).where(Membership.group_id.in_(ids)).group_by(Membership.group_id)
    inner = select(Nesting.outer_id, func.count()).where(Nesting.outer_id.in_(ids)).group_by(Nesting.outer_id)
    joined, nested = dict(tx.execute(people).tuples().all()), dict(tx.execute(inner).tuples().all())
    return {number: GroupSize(joined.get(number, 0), nested.get(number, 0)) for number in ids}


def groups_of(tx: Tx, user_id: int) -> list[tuple[int, str]]:
    """All groups that a person counts in, with their names: those joined, in that order, and then those around them."""
    joined = select(Group.id, Group.name).join(Membership, Membership.group_id == Group.id)
    own = [
        (number, name)
        for number, name in tx.execute(joined.where(Membership.user_id == user_id).order_by(Membership.id))
    ]
    if not own or tx.scalar(select(Nesting.id).limit(1)) is None:
        return own
    ids = [number for number, _ in own]
    return own + [(number, name) for number, name in tx.execute(_around(ids)) if number not in set(ids)]


def _around(ids: list[int]) -> Select[int, str]:
    """Groups that these are in, directly or by others. ``UNION`` ends even in a circle."""
    outer = select(Nesting.outer_id.label("id")).where(Nesting.inner_id.in_(ids)).cte("around", recursive=True)
    around = outer.union(select(Nesting.outer_id).join(outer, Nesting.inner_id == outer.c.id))
    return select(Group.id, Group.name).join(around, Group.id == around.c.id).order_by(Group.id)


def _nesting(tx: Tx, group: Group, inner: Group) -> Nesting | None:
    return tx.scalar(select(Nesting).where(Nesting.outer_id == group.id, Nesting.inner_id == inner.id))
