"""Verbs on groups and their members."""

from __future__ import annotations

from sqlalchemy import Select, func, select
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


def create_group(tx: Tx, actor: Principal, *, name: str, external_id: str | None = None) -> Group:
    """A new group, owned by its maker. ``external_id`` is what a directory knows it by. Raises `GroupInvalid`, `GroupNameTaken`."""
    require(actor, Permission.GROUP_CREATE)
    name = name.strip()
    if not name or not is_line(name) or not is_line(external_id or ""):
        raise GroupInvalid
    group = Group(guid=new_guid(), name=name, owner_id=actor.id, external_id=external_id)
    tx.add(group)
    try:
        tx.flush()
    except IntegrityError as error:
        raise GroupNameTaken(f"A group “{name}” exists already. Choose another name.") from error
    record(tx, actor, "identity:group:created", ResourceRef("group", group.id), after={"name": name})
    return group


def delete_group(tx: Tx, actor: Principal, group: Group) -> None:
    """Remove a group; what was open to it is no longer open to its members by it. It can't be undone."""
    require(actor, Permission.GROUP_DELETE, resource_of_group(group))
    before = {"name": group.name, "owner_id": group.owner_id}
    tx.delete(group)
    record(tx, actor, "identity:group:deleted", ResourceRef("group", group.id), before=before)
    tx.flush()


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


def find_group(tx: Tx, actor: Principal, name: str) -> Group | None:
    """The group of this name, in any case."""
    require(actor, Permission.GROUP_LIST)
    if not is_line(name):
        return None
    return tx.scalar(select(Group).where(func.lower(Group.name) == name.strip().lower()))


def view_group(tx: Tx, actor: Principal, guid: str) -> Group:
    """The same for whoever may list groups."""
    require(actor, Permission.GROUP_LIST)
    return get_group(tx, guid)


def add_member(tx: Tx, actor: Principal, group: Group, *, user: User) -> bool:
    """Add a person; one who is in already stays in their place. Whether anything changed."""
    require(actor, Permission.GROUP_UPDATE, resource_of_group(group))
    if _membership(tx, group, user) is not None:
        return False
    tx.add(Membership(group_id=group.id, user_id=user.id))
    record(tx, actor, "identity:group:member-added", ResourceRef("group", group.id), after={"user_id": user.id})
    return True


def remove_member(tx: Tx, actor: Principal, group: Group, *, user: User) -> bool:
    """Remove a person; one who is not in is a no-op. Whether anything changed."""
    require(actor, Permission.GROUP_UPDATE, resource_of_group(group))
    membership = _membership(tx, group, user)
    if membership is None:
        return False
    tx.delete(membership)
    record(tx, actor, "identity:group:member-removed", ResourceRef("group", group.id), before={"user_id": user.id})
    return True


def members(tx: Tx, actor: Principal, group: Group) -> list[User]:
    """People of the group itself, in the order they joined."""
    require(actor, Permission.GROUP_LIST)
    return list(tx.scalars(_joined(group)))


def list_members(tx: Tx, actor: Principal, group: Group, *, page: int = 1, page_size: int = 500) -> Found[User]:
    """The same, a page at a time; pages count from 1."""
    require(actor, Permission.GROUP_LIST)
    total = tx.scalar(select(func.count()).select_from(Membership).where(Membership.group_id == group.id)) or 0
    return Found(list(tx.scalars(_joined(group).offset((page - 1) * page_size).limit(page_size))), total)


def resource_of_group(group: Group) -> Resource:
    return Resource(ResourceRef("group", group.id), owner_id=group.owner_id)


def _joined(group: Group) -> Select[User]:
    joined = select(User).join(Membership, Membership.user_id == User.id).where(Membership.group_id == group.id)
    return joined.order_by(Membership.id)


def _membership(tx: Tx, group: Group, user: User) -> Membership | None:
    return tx.scalar(select(Membership).where(Membership.group_id == group.id, Membership.user_id == user.id))
