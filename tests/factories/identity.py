"""People, groups and keys for tests. One password and one hash for all of them: hashing is slow on purpose."""

from __future__ import annotations

from functools import cache
from typing import Any

from pilothouse.base.access import SYSTEM, Principal, Role
from pilothouse.db import Database
from pilothouse.identity import service
from pilothouse.identity.contract import NewUser
from pilothouse.identity.models import Group, User
from pilothouse.identity.service.passwords import hash_password

PASSWORD = "harbour-light-7"


@cache
def hashed() -> str:
    """`PASSWORD` as it is stored."""
    return hash_password(PASSWORD)


def add_user(database: Database, username: str = "amara.okoye", role: Role = Role.VIEWER, **facts: Any) -> User:
    """A person whose password is `PASSWORD`, committed."""
    new = NewUser(username, role=role, password=PASSWORD, **facts)
    with database.write() as tx:
        return service.create_user(tx, SYSTEM, new=new, password_hash=hashed())


def add_group(database: Database, name: str = "Quality circle", owner: Principal = SYSTEM) -> Group:
    with database.write() as tx:
        return service.create_group(tx, owner, name=name)


def principal(database: Database, user: User) -> Principal:
    """Who acts when this person does, as the database has it now."""
    with database.read() as tx:
        return service.principal_of_user(tx, service.get_user(tx, user.guid))


def add_key(database: Database, user: User, **facts: Any) -> str:
    """The plain text of a new key of this person."""
    with database.write() as tx:
        return service.create_key(tx, SYSTEM, user, name=facts.pop("name", "laptop"), **facts).plain


def sign_in(
    database: Database, username: str = "amara.okoye", password: str = PASSWORD, **facts: str
) -> service.SignedIn:
    """As the sign-in page does; a pause is not waited out."""
    leave = service.attempt(database, username=username, address=facts.get("address", "192.0.2.1"))
    return service.sign_in(database, leave, password=password, user_agent=facts.get("user_agent", "curl/8"))
