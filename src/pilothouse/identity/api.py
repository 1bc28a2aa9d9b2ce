"""Our own API for people, groups, keys and logins: ``/api/v1``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.paging import Page, PageNumber, PageSize, RowId
from pilothouse.base.access import Permission, Role, require
from pilothouse.identity import service
from pilothouse.identity.contract import NewUser, Rules
from pilothouse.identity.models import ApiKey, Group, Login, User
from pilothouse.identity.service.passwords import hash_password

router = APIRouter(prefix="/api/v1", tags=["identity"])


def _rules(request: Request) -> Rules:
    return getattr(request.app.state, "identity_rules", None) or Rules()


RulesOf = Annotated[Rules, Depends(_rules)]


class UserShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    guid: str
    username: str
    email: str
    first_name: str
    last_name: str
    role: Role
    locked: bool
    department: str | None
    site: str | None
    title: str | None
    locale: str | None
    timezone: str | None
    created_at: datetime
    active_at: datetime | None


class UserNew(BaseModel):
    model_config = ConfigDict(extra="forbid")
    username: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    role: Role = Role.VIEWER
    password: SecretStr | None = None
    department: str | None = None
    site: str | None = None
    title: str | None = None
    locale: str | None = None
    timezone: str | None = None
    must_set_password: bool = False


class UserChange(BaseModel):
    """Only the fields that are sent change."""

    model_config = ConfigDict(extra="forbid")
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    department: str | None = None
    site: str | None = None
    title: str | None = None
    locale: str | None = None
    timezone: str | None = None
    role: Role | None = None
    locked: bool | None = None


class PasswordNew(BaseModel):
    password: SecretStr


class GroupShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    guid: str
    name: str
    created_at: datetime


class GroupNew(BaseModel):
    name: str


class InnerNew(BaseModel):
    model_config = ConfigDict(extra="forbid")
    group_guid: str


class MemberNew(BaseModel):
    user_guid: str


class KeyShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = None


class KeyNew(BaseModel):
    name: str = Field(min_length=1)


class KeyMade(KeyShown):
    """``key`` is shown this one time."""

    key: str


class LoginShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    provider: str
    address: str
    user_agent: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@router.get("/users/me")
def me(caller: SignedIn, db: Db) -> UserShown:
    with db.read() as tx:
        return _user(service.get_user(tx, caller.guid))


@router.get("/users")
def list_users(
    caller: SignedIn, db: Db, prefix: str = "", page_number: PageNumber = 1, page_size: PageSize = 50
) -> Page[UserShown]:
    """People by user name; `prefix` matches the beginning of user name, first or last name."""
    with db.read() as tx:
        found = service.list_users(tx, caller, prefix=prefix, page=page_number, page_size=page_size)
        return Page(results=[_user(u) for u in found.items], current_page=page_number, total=found.total)


@router.post("/users", status_code=201)
def create_user(body: UserNew, caller: SignedIn, db: Db, rules: RulesOf) -> UserShown:
    require(caller, Permission.USER_CREATE)
    password = body.password.get_secret_value() if body.password else None
    new = NewUser(**body.model_dump(exclude={"password"}), password=password)
    hashed = hash_password(password) if password else None
    with db.write() as tx:
        return _user(service.create_user(tx, caller, new=new, rules=rules, password_hash=hashed))


@router.get("/users/{guid}")
def get_user(guid: str, caller: SignedIn, db: Db) -> UserShown:
    with db.read() as tx:
        return _user(service.get_user(tx, guid))


@router.patch("/users/{guid}")
def update_user(guid: str, body: UserChange, caller: SignedIn, db: Db) -> UserShown:
    """Change data, role or lock; all in one transaction."""
    changes = body.model_dump(exclude_unset=True)
    role, locked = changes.pop("role", None), changes.pop("locked", None)
    with db.write() as tx:
        user = service.get_user(tx, guid)
        if changes:
            service.update_user(tx, caller, user, changes=changes)
        if role is not None:
            service.set_role(tx, caller, user, role=role)
        if locked is not None:
            service.lock_user(tx, caller, user, locked=locked)
        return _user(user)


@router.post("/users/{guid}/password", status_code=204)
def reset_password(guid: str, body: PasswordNew, caller: SignedIn, db: Db, rules: RulesOf) -> None:
    """Set a new password; all logins of the person end."""
    with db.read() as tx:
        require(caller, Permission.USER_RESET_PASSWORD, service.resource_of_user(service.get_user(tx, guid)))
    password = body.password.get_secret_value()
    hashed = hash_password(password)
    with db.write() as tx:
        service.reset_password(
            tx, caller, service.get_user(tx, guid), password=password, rules=rules, password_hash=hashed
        )


@router.get("/users/{guid}/keys")
def list_keys(guid: str, caller: SignedIn, db: Db) -> list[KeyShown]:
    with db.read() as tx:
        found = service.keys(tx, caller, service.get_user(tx, guid))
        used = service.last_used(tx, "key", (key.id for key in found))
        return [_key(key).model_copy(update={"used_at": used.get(str(key.id))}) for key in found]


@router.post("/users/{guid}/keys", status_code=201)
def create_key(guid: str, body: KeyNew, caller: SignedIn, db: Db, rules: RulesOf) -> KeyMade:
    """A new key; it is shown this one time."""
    with db.write() as tx:
        made = service.create_key(tx, caller, service.get_user(tx, guid), name=body.name, rules=rules)
        return KeyMade(key=made.plain, **_key(made.row).model_dump())


@router.delete("/users/{guid}/keys/{key_id}", status_code=204)
def revoke_key(guid: str, key_id: RowId, caller: SignedIn, db: Db) -> None:
    with db.write() as tx:
        service.revoke_key(tx, caller, service.get_key(tx, service.get_user(tx, guid), key_id))


@router.get("/users/{guid}/logins")
def list_logins(guid: str, caller: SignedIn, db: Db) -> list[LoginShown]:
    with db.read() as tx:
        found = service.logins(tx, caller, service.get_user(tx, guid))
        used = service.last_used(tx, "login", (login.id for login in found))
        return [_login(login).model_copy(update={"used_at": used.get(login.id)}) for login in found]


@router.delete("/logins/{login_id}", status_code=204)
def end_login(login_id: str, caller: SignedIn, db: Db) -> None:
    with db.write() as tx:
        service.end_login(tx, caller, service.get_login(tx, login_id))


@router.get("/groups")
def list_groups(
    caller: SignedIn, db: Db, prefix: str = "", page_number: PageNumber = 1, page_size: PageSize = 50
) -> Page[GroupShown]:
    with db.read() as tx:
        found = service.list_groups(tx, caller, prefix=prefix, page=page_number, page_size=page_size)
        return Page(results=[_group(g) for g in found.items], current_page=page_number, total=found.total)


@router.post("/groups", status_code=201)
def create_group(body: GroupNew, caller: SignedIn, db: Db) -> GroupShown:
    with db.write() as tx:
        return _group(service.create_group(tx, caller, name=body.name))


@router.delete("/groups/{guid}", status_code=204)
def delete_group(guid: str, caller: SignedIn, db: Db) -> None:
    """What was open to it is closed to its members. It can't be undone."""
    with db.write() as tx:
        service.delete_group(tx, caller, service.view_group(tx, caller, guid))


@router.get("/groups/{guid}/groups")
def list_inner_groups(guid: str, caller: SignedIn, db: Db) -> list[GroupShown]:
    """Groups whose members count in this one."""
    with db.read() as tx:
        return [_group(g) for g in service.inner_groups(tx, caller, service.get_group(tx, guid))]


@router.post("/groups/{guid}/groups", status_code=204)
def nest_group(guid: str, body: InnerNew, caller: SignedIn, db: Db) -> None:
    """All members of the other group count in this one from now on."""
    with db.write() as tx:
        outer, inner = service.get_group(tx, guid), service.get_group(tx, body.group_guid)
        service.nest_group(tx, caller, outer, inner=inner)


@router.delete("/groups/{guid}/groups/{inner_guid}", status_code=204)
def unnest_group(guid: str, inner_guid: str, caller: SignedIn, db: Db) -> None:
    with db.write() as tx:
        outer, inner = service.get_group(tx, guid), service.get_group(tx, inner_guid)
        service.unnest_group(tx, caller, outer, inner=inner)


@router.get("/groups/{guid}/members")
def list_members(guid: str, caller: SignedIn, db: Db) -> list[UserShown]:
    """In the order they joined."""
    with db.read() as tx:
        return [_user(u) for u in service.members(tx, caller, service.get_group(tx, guid))]


@router.post("/groups/{guid}/members", status_code=204)
def add_member(guid: str, body: MemberNew, caller: SignedIn, db: Db) -> None:
    with db.write() as tx:
        service.add_member(tx, caller, service.get_group(tx, guid), user=service.get_user(tx, body.user_guid))


@router.delete("/groups/{guid}/members/{user_guid}", status_code=204)
def remove_member(guid: str, user_guid: str, caller: SignedIn, db: Db) -> None:
    with db.write() as tx:
        service.remove_member(tx, caller, service.get_group(tx, guid), user=service.get_user(tx, user_guid))


def _user(row: User) -> UserShown:
    return UserShown.model_validate(row)


def _group(row: Group) -> GroupShown:
    return GroupShown.model_validate(row)


def _key(row: ApiKey) -> KeyShown:
    return KeyShown.model_validate(row)


def _login(row: Login) -> LoginShown:
    return LoginShown.model_validate(row)
