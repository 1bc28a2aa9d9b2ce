"""Verbs on users."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, String, and_, func, literal_column, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, Role, require
from pilothouse.base.ids import is_guid, new_guid
from pilothouse.db import Tx
from pilothouse.identity.contract import (
    LastAdministrator,
    NewUser,
    Rules,
    UserInvalid,
    UsernameTaken,
    UserUnknown,
    WeakPassword,
)
from pilothouse.identity.models import WORDS, ApiKey, Login, User
from pilothouse.identity.service.lines import is_line
from pilothouse.identity.service.passwords import hash_password

T = TypeVar("T")
USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
LATELY = timedelta(days=365)
EDITABLE = frozenset({"email", "first_name", "last_name", "department", "site", "title", "locale", "timezone"})


class Account(StrEnum):
    """How an account stands: may not sign in; was there within a year; was not."""

    LOCKED = "locked"
    LICENSED = "licensed"
    INACTIVE = "inactive"


@dataclass(frozen=True)
class People:
    """Which people; empty = any. ``prefix`` matches the beginning of user name, first or last name, in any case."""

    prefix: str = ""
    roles: Sequence[Role] = ()
    accounts: Sequence[Account] = ()
    ascending: bool = True


@dataclass(frozen=True)
class Found(Generic[T]):
    """One page of a list, and how many there are in all."""

    items: list[T]
    total: int


def resource_of_user(user: User) -> Resource:
    """A user owns themselves: that is what lets people change their own name, password and keys."""
    return Resource(ResourceRef("user", user.id), owner_id=user.id)


def create_user(
    tx: Tx, actor: Principal, *, new: NewUser, rules: Rules = Rules(), password_hash: str | None = None
) -> User:
    """Add a person. ``password_hash`` may be given instead of ``new.password``, so that hashing happens outside the transaction.

    Raises `UserInvalid`, `UsernameTaken`, `WeakPassword`.
    """
    require(actor, Permission.USER_CREATE)
    _check_username(tx, new.username)
    if not is_line(new.external_id or ""):
        raise UserInvalid("The id in a directory is text of at most 255 characters without line breaks.")
    if new.password is not None:
        check_password(new.password, new.username, rules)
    user = User(
        guid=new_guid(),
        username=new.username,
        role=new.role.value,
        must_set_password=new.must_set_password,
        external_id=new.external_id,
        password_hash=password_hash or (hash_password(new.password) if new.password else None),
        **{name: _checked(name, getattr(new, name)) for name in EDITABLE},
    )
    tx.add(user)
    try:
        tx.flush()
    except IntegrityError as error:  # somebody else made it in the meantime
        raise UsernameTaken(f"A user “{new.username}” exists already. Choose another name.") from error
    shown = {
        "username": user.username,
        "role": user.role,
        **{name: getattr(user, name) for name in EDITABLE if getattr(user, name)},
    }
    record(tx, actor, "identity:user:created", ResourceRef("user", user.id), after=shown)
    return user


def update_user(tx: Tx, actor: Principal, user: User, *, changes: Mapping[str, Any]) -> User:
    """Change a person's data (name, mail, department, site, title, locale, time zone). Raises `UserInvalid` for other fields."""
    require(actor, Permission.USER_UPDATE, resource_of_user(user))
    if unknown := set(changes) - EDITABLE:
        raise UserInvalid(f"These fields can't be changed here: {', '.join(sorted(unknown))}.")
    before = {name: getattr(user, name) for name in changes}
    for name, value in changes.items():
        setattr(user, name, _checked(name, value))
    user.updated_at = clock.now()
    after = {name: getattr(user, name) for name in changes}
    record(tx, actor, "identity:user:updated", ResourceRef("user", user.id), before=before, after=after)
    return user


def set_role(tx: Tx, actor: Principal, user: User, *, role: Role) -> User:
    """Change what a person may do. Raises `LastAdministrator`."""
    require(actor, Permission.USER_SET_ROLE)
    if role is not Role.ADMINISTRATOR:
        keep_an_administrator(tx, user)
    before, user.role, user.updated_at = user.role, role.value, clock.now()
    record(
        tx,
        actor,
        "identity:user:role-set",
        ResourceRef("user", user.id),
        before={"role": before},
        after={"role": user.role},
    )
    return user


def lock_user(tx: Tx, actor: Principal, user: User, *, locked: bool) -> User:
    """Lock (all logins end, keys stop working) or unlock. Raises `LastAdministrator`."""
    require(actor, Permission.USER_LOCK)
    if locked:
        keep_an_administrator(tx, user)
        end_all_logins(tx, user)
    before, user.locked, user.updated_at = user.locked, locked, clock.now()
    event = "identity:user:locked" if locked else "identity:user:unlocked"
    record(tx, actor, event, ResourceRef("user", user.id), before={"locked": before}, after={"locked": locked})
    return user


def reset_password(
    tx: Tx, actor: Principal, user: User, *, password: str, rules: Rules = Rules(), password_hash: str | None = None
) -> None:
    """Set a new password; all logins of the person end. Raises `WeakPassword`."""
    require(actor, Permission.USER_RESET_PASSWORD, resource_of_user(user))
    check_password(password, user.username, rules)
    user.password_hash, user.must_set_password = password_hash or hash_password(password), False
    end_all_logins(tx, user)
    record(
        tx,
        actor,
        "identity:user:password-reset",
        ResourceRef("user", user.id),
        after={"password": "new"},
        before={"password": ""},
    )


def list_users(
    tx: Tx,
    actor: Principal,
    *,
    wanted: People | None = None,
    prefix: str = "",
    page: int = 1,
    page_size: int = 500,
) -> Found[User]:
    """People by user name; ``prefix`` is a short way to say it. Pages count from 1."""
    require(actor, Permission.USER_LIST)
    wanted = wanted or People(prefix)
    if not is_line(wanted.prefix):
        return Found([], 0)
    conditions, name = list(_conditions(wanted)), func.lower(User.username)
    chosen = select(User).where(User.deleted_at.is_(None), *conditions)
    ordered = chosen.order_by(name.asc() if wanted.ascending else name.desc())
    return found_people(tx, ordered, page=page, page_size=page_size, is_narrowed=bool(conditions))


def found_people(tx: Tx, ordered: Select[User], *, page: int, page_size: int, is_narrowed: bool) -> Found[User]:
    """One page of a query of people, and how many it finds in all.

    Where an order is all there is, an index gives the page, and counting is a query of its own. Where most are searched
    through to find some, that is done once: for their numbers and the count, and the rows come after.
    """
    part, ids = ordered.offset((page - 1) * page_size).limit(page_size), ordered.with_only_columns(User.id)
    if not is_narrowed:
        return Found(list(tx.scalars(part)), _count(tx, ids))
    found = tx.execute(part.with_only_columns(User.id, func.count().over())).all()
    if not found:
        return Found([], _count(tx, ids) if page > 1 else 0)
    rows = users_of_ids(tx, [number for number, _ in found])
    return Found([rows[number] for number, _ in found], found[0][1])


def usernames(tx: Tx, actor: Principal, *, limit: int) -> list[str]:
    """The first ones in alphabetical order: what a field proposes."""
    require(actor, Permission.USER_LIST)
    alive = select(User.username).where(User.deleted_at.is_(None))
    return list(tx.scalars(alive.order_by(func.lower(User.username)).limit(limit)))


def speaks_of(words: Sequence[str], *, begins: bool = False) -> ColumnElement[bool]:
    """Whether a person's names, department, site and title hold each of ``words``, or a name begins with it; in any case.

    They are looked for before anything else: on SQLite in an index, which the last condition is for, on PostgreSQL in one
    pass over all rows, most of which the first condition ends.
    """
    someone, said = aliased(User), literal_column(WORDS, String)
    plain = [word.replace("!", "!!").replace("%", "!%").replace("_", "!_") for word in words]
    patterns = [func.lower(f"%|{word}%" if begins else f"%{word}%") for word in plain]
    held = (said.like(pattern, escape="!") for pattern in patterns)
    found = select(someone.id).where(*held, said > literal_column("''")).cte()
    return User.id.in_(select(found.prefix_with("MATERIALIZED", dialect="postgresql").c.id))


def names_hold(word: str, people: Any) -> ColumnElement[bool]:
    """Whether one of a person's names holds ``word``, in any case; ``people`` has the columns of names, as `User` has."""
    names = (people.first_name, people.last_name, people.username)
    return or_(*(column.icontains(word, autoescape=True) for column in names))


def _count(tx: Tx, ids: Select[int]) -> int:
    return tx.scalar(select(func.count()).select_from(ids.order_by(None).subquery())) or 0


def view_user(tx: Tx, actor: Principal, guid: str) -> User:
    """The user of this GUID, for themselves and for whoever may list users. Raises `UserUnknown`."""
    if actor.guid != guid:
        require(actor, Permission.USER_LIST)
    return get_user(tx, guid)


def rename_user(tx: Tx, actor: Principal, user: User, *, username: str) -> User:
    """Give a person another name to sign in with. Raises `UserInvalid`, `UsernameTaken`."""
    require(actor, Permission.USER_CREATE)
    _check_username(tx, username, besides=user.id)
    before, user.username, user.updated_at = user.username, username, clock.now()
    try:
        tx.flush()
    except IntegrityError as error:
        raise UsernameTaken(f"A user “{username}” exists already. Choose another name.") from error
    ref = ResourceRef("user", user.id)
    record(tx, actor, "identity:user:renamed", ref, before={"username": before}, after={"username": username})
    return user


def get_user(tx: Tx, guid: str) -> User:
    """The user of this GUID. Raises `UserUnknown`. Callers check what may be shown of it."""
    user = tx.scalar(select(User).where(User.guid == guid, User.deleted_at.is_(None))) if is_guid(guid) else None
    if user is None:
        raise UserUnknown(f"There is no user {guid}.")
    return user


def users_of_ids(tx: Tx, ids: Collection[int]) -> dict[int, User]:
    """People by id, also those deleted. For names beside what the caller may see."""
    return {user.id: user for user in tx.scalars(select(User).where(User.id.in_(list(ids))))}


def find_user(tx: Tx, username: str) -> User | None:
    """The user of this name, in any case."""
    if not is_line(username):
        return None
    return tx.scalar(select(User).where(func.lower(User.username) == username.lower(), User.deleted_at.is_(None)))


def check_password(password: str, username: str, rules: Rules) -> None:
    """Raise `WeakPassword` for one that is too short or equals the user name."""
    if len(password) < rules.password_min_length:
        raise WeakPassword(f"The password is too short. Choose one of at least {rules.password_min_length} characters.")
    if len(password) > 1000:
        raise WeakPassword("The password is longer than 1000 characters. Choose a shorter one.")
    if password.lower() == username.lower():
        raise WeakPassword("The password is the user name. Choose another one.")


def end_all_logins(tx: Tx, user: User) -> None:
    for login in tx.scalars(select(Login).where(Login.user_id == user.id, Login.ended_at.is_(None))):
        login.ended_at = clock.now()


def keep_an_administrator(tx: Tx, user: User) -> None:
    """Their rows are locked first: two administrators who demote each other at the same moment must not both succeed."""
    active = (User.role == Role.ADMINISTRATOR.value, User.locked.is_(False), User.deleted_at.is_(None))
    administrators = tx.scalars(select(User.id).where(*active).order_by(User.id).with_for_update()).all()
    if list(administrators) == [user.id]:
        raise LastAdministrator


def _check_username(tx: Tx, username: str, besides: int | None = None) -> None:
    if not USERNAME.fullmatch(username):
        raise UserInvalid(
            f"“{username[:64]}” can't be a user name: up to 64 letters, digits and . _ - @ +, beginning with a letter or digit."
        )
    found = find_user(tx, username)
    if found is not None and found.id != besides:
        raise UsernameTaken(f"A user “{username}” exists already. Choose another name.")


def _conditions(wanted: People) -> Iterator[ColumnElement[bool]]:
    if wanted.prefix:
        yield speaks_of([wanted.prefix], begins=True)
    if wanted.roles:
        yield User.role.in_([r.value for r in wanted.roles])
    if wanted.accounts:
        lately = User.active_at > clock.now() - LATELY
        meanings = {
            Account.LOCKED: User.locked.is_(True),
            Account.LICENSED: and_(User.locked.is_(False), lately),
            Account.INACTIVE: and_(User.locked.is_(False), or_(User.active_at.is_(None), ~lately)),
        }
        yield or_(*(meanings[account] for account in wanted.accounts))


def _checked(name: str, value: Any) -> Any:
    if value is None and name in {"email", "first_name", "last_name"}:
        return ""
    limit = _limit(name)
    if value is not None and not is_line(value, limit):
        raise UserInvalid(f"“{name}” must be text of at most {limit} characters without line breaks.")
    return value


def _limit(name: str) -> int:
    """How many characters the column takes."""
    kind = User.__table__.c[name].type
    return kind.length if isinstance(kind, String) and kind.length else 0


def live_keys(tx: Tx, user: User) -> list[ApiKey]:
    """Keys of a person that still work and belong to no job and to no program that signed in."""
    unexpired = ApiKey.expires_at.is_(None) | (ApiKey.expires_at > clock.now())
    alive = (
        ApiKey.user_id == user.id,
        ApiKey.revoked_at.is_(None),
        ApiKey.job_id.is_(None),
        ApiKey.authorization_id.is_(None),
        unexpired,
    )
    return list(tx.scalars(select(ApiKey).where(*alive).order_by(ApiKey.id)))
