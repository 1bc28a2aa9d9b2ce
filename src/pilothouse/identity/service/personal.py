"""What this room holds about a person: to hand it out, and to erase it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from sqlalchemy import delete, func, inspect, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, Role, require
from pilothouse.base.ids import is_guid
from pilothouse.db import Row, Tx
from pilothouse.identity.contract import UserUnknown
from pilothouse.identity.models import (
    ApiKey,
    Authorization,
    DeviceRequest,
    Group,
    KeyUse,
    Login,
    Membership,
    SigningToken,
    User,
)
from pilothouse.identity.service.lines import is_line
from pilothouse.identity.service.logins import last_used
from pilothouse.identity.service.users import EDITABLE, keep_an_administrator, resource_of_user

Kind = TypeVar("Kind", Login, ApiKey, Membership, SigningToken, Authorization)
#: What proves who somebody is; never handed out.
SECRETS = frozenset({
    "password_hash", "secret_digest", "digest", "code_digest", "code_challenge", "refresh_family", "refresh_digest",
})  # fmt: skip
#: What says who somebody was.
NAMES = (*sorted(EDITABLE), "external_id", "password_hash")


def any_user(tx: Tx, who: str) -> User:
    """The person of this user name, in any case, or of this GUID; also one who is locked, deleted or erased. Raises `UserUnknown`."""
    named = User.guid == who if is_guid(who) else func.lower(User.username) == who.lower()
    user = tx.scalar(select(User).where(named)) if is_line(who) else None
    if user is None:
        raise UserUnknown(f"There is no user “{who[:64]}”. Who was erased is found by GUID only.")
    return user


def personal_data(tx: Tx, actor: Principal, user: User) -> dict[str, Any]:
    """Account, groups, logins, keys and tokens, without what is secret. That it was handed out is recorded."""
    require(actor, Permission.USER_EXPORT, resource_of_user(user))
    record(tx, actor, "identity:user:exported", ResourceRef("user", user.id))
    logins, keys = _rows(tx, Login, user), _rows(tx, ApiKey, user)
    joined = select(Group).join(Membership, Membership.group_id == Group.id).where(Membership.user_id == user.id)
    used = (
        dict(last_used(tx, "login", (login.id for login in logins))),
        dict(last_used(tx, "key", (k.id for k in keys))),
    )
    return {
        "account": facts_of_row(user) | {"has_password": user.password_hash is not None},
        "groups": [facts_of_row(group) for group in tx.scalars(joined.order_by(Group.id))],
        "groups_owned": [
            facts_of_row(g) for g in tx.scalars(select(Group).where(Group.owner_id == user.id).order_by(Group.id))
        ],
        "logins": [facts_of_row(login) | {"used_at": used[0].get(login.id)} for login in logins],
        "keys": [facts_of_row(key) | {"used_at": used[1].get(str(key.id))} for key in keys],
        "programs": [facts_of_row(given) for given in _rows(tx, Authorization, user)],
        "tokens": [facts_of_row(token) for token in _rows(tx, SigningToken, user)],
    }


def erase_user(tx: Tx, actor: Principal, user: User) -> bool:
    """Take away everything that says who this number was: names, mail, logins, names of keys, tokens, groups. It can't be undone.

    Nobody can sign in as them any more. Their number stays, in the audit trail and in statistics of use. Whether there was
    anything to erase: a second call is a no-op. Raises `LastAdministrator`.
    """
    require(actor, Permission.USER_ERASE)
    if user.is_erased:
        return False
    keep_an_administrator(tx, user)
    before = {name: getattr(user, name) for name in ("username", "role", "locked", *sorted(EDITABLE))}
    _end_access(tx, user)
    for name in NAMES:
        setattr(user, name, "" if name in ("email", "first_name", "last_name") else None)
    user.username, user.role, user.locked, user.must_set_password = f"erased/{user.id}", Role.VIEWER.value, True, False
    user.deleted_at = user.deleted_at or clock.now()
    user.updated_at = clock.now()
    after = {name: getattr(user, name) for name in before}
    record(tx, actor, "identity:user:erased", ResourceRef("user", user.id), before=before, after=after)
    return True


def facts_of_row(row: Row, without: Collection[str] = ()) -> dict[str, Any]:
    """The columns of a row by name, never a secret one."""
    return {
        c.key: getattr(row, c.key)
        for c in inspect(type(row)).column_attrs
        if c.key not in SECRETS and c.key not in without
    }


def _end_access(tx: Tx, user: User) -> None:
    """No login, key or group is left that leads to the person. Keys stay as numbers, because the trail names them."""
    logins, keys = _rows(tx, Login, user), _rows(tx, ApiKey, user)
    _forget_uses(tx, "login", (login.id for login in logins))
    _forget_uses(tx, "key", (str(key.id) for key in keys))
    tokens = _rows(tx, SigningToken, user)
    _forget_uses(tx, "token", (str(token.id) for token in tokens))
    _end_programs(tx, user)
    for key in keys:
        key.name, key.prefix, key.revoked_at = "", "", key.revoked_at or clock.now()
    for row in (*logins, *tokens, *_rows(tx, Membership, user)):
        tx.delete(row)
    for group in tx.scalars(select(Group).where(Group.owner_id == user.id)):
        group.owner_id = None


def _end_programs(tx: Tx, user: User) -> None:
    """What was allowed to programs goes; the keys that were their tokens stay as numbers."""
    for given in _rows(tx, Authorization, user):
        for waiting in tx.scalars(select(DeviceRequest).where(DeviceRequest.authorization_id == given.id)):
            tx.delete(waiting)
        for key in tx.scalars(select(ApiKey).where(ApiKey.authorization_id == given.id)):
            key.authorization_id = None
        tx.flush()
        tx.delete(given)


def _forget_uses(tx: Tx, kind: str, refs: Iterable[str]) -> None:
    tx.execute(delete(KeyUse).where(KeyUse.kind == kind, KeyUse.ref.in_(list(refs))))


def _rows(tx: Tx, kind: type[Kind], user: User) -> list[Kind]:
    return list(tx.scalars(select(kind).where(kind.user_id == user.id)))
