"""Verbs on groups."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, require
from pilothouse.base.errors import Invalid
from pilothouse.base.ids import is_guid, new_guid
from pilothouse.db import Tx
from pilothouse.identity.contract import GroupNameTaken, GroupUnknown
from pilothouse.identity.models import Group, Membership, User
from pilothouse.identity.service.lines import is_line
from pilothouse.identity.service.users import Found


class GroupInvalid(Invalid):
    """A group needs a name of at most 255 characters."""

    code = "identity/group-invalid"


def create_group(tx: Tx, actor: Principal, *, name: str) -> Group:
    """A new group, owned by its maker. Raises `GroupInvalid`, `GroupNameTaken`."""
    require(actor, Permission.GROUP_CREATE)
    name = name.strip()
    if not name or not is_line(name):
        raise GroupInvalid
    group = Group(guid=new_guid(), name=name, owner_id=actor.id)
    tx.add(group)
    try:
        tx.flush()
    except IntegrityError as error:
        raise GroupNameTaken(f"A group “{name}” exists already. Choose another name.") from error
    record(tx, actor, "identity:group:created", ResourceRef("group", group.id), after={"name": name})
    return group


def list_groups(tx: Tx, actor: Principal, *, prefix: str = "", page: int = 1, page_size: int = 500) -> Found[Group]:
    """Groups by name; pages count from 1."""
    require(actor, Permission.GROUP_LIST)
    if not is_line(prefix):
        return Found([], 0)
    chosen = select(Group)
    if prefix:
        chosen = chosen.where(Group.name.istartswith(prefix, autoescape=True))
    total = tx.scalar(select(func.count()).select_from(chosen.subquery())) or 0
    rows = tx.scalars(chosen.order_by(func.lower(Group.name)).offset((page - 1) * page_size).limit(page_size))
    return Found(list(rows), total)


def get_group(tx: Tx, guid: str) -> Group:
    """The group of this GUID. Raises `GroupUnknown`."""
    group = tx.scalar(select(Group).where(Group.guid == guid)) if is_guid(guid) else None
    if group is None:
        raise GroupUnknown(f"There is no group {guid}.")
    return group


def add_member(tx: Tx, actor: Principal, group: Group, *, user: User) -> None:
    """Add a person; one who is in already stays in their place."""
    require(actor, Permission.GROUP_UPDATE, _resource(group))
    if _membership(tx, group, user) is not None:
        return
    tx.add(Membership(group_id=group.id, user_id=user.id))
    record(tx, actor, "identity:group:member-added", ResourceRef("group", group.id), after={"user_id": user.id})


def remove_member(tx: Tx, actor: Principal, group: Group, *, user: User) -> None:
    """Remove a person; one who is not in is a no-op."""
    require(actor, Permission.GROUP_UPDATE, _resource(group))
    membership = _membership(tx, group, user)
    if membership is None:
        return
    tx.delete(membership)
    record(tx, actor, "identity:group:member-removed", ResourceRef("group", group.id), before={"user_id": user.id})


def members(tx: Tx, actor: Principal, group: Group) -> list[User]:
    """People of the group, in the order they joined."""
    require(actor, Permission.GROUP_LIST)
    joined = select(User).join(Membership, Membership.user_id == User.id).where(Membership.group_id == group.id)
    return list(tx.scalars(joined.order_by(Membership.id)))


def _membership(tx: Tx, group: Group, user: User) -> Membership | None:
    return tx.scalar(select(Membership).where(Membership.group_id == group.id, Membership.user_id == user.id))


def _resource(group: Group) -> Resource:
    return Resource(ResourceRef("group", group.id), owner_id=group.owner_id)
