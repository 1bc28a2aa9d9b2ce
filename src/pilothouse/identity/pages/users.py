"""Administration of users."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel, SecretStr

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import Done, frame, page, to
from pilothouse.asgi.texts import ENGLISH, catalogue
from pilothouse.base.access import Permission, Principal, Role, require
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.db import Database, Tx
from pilothouse.identity import service
from pilothouse.identity.contract import NewUser, Rules, WeakPassword
from pilothouse.identity.models import User
from pilothouse.identity.pages.rules import RulesOf, password_hint
from pilothouse.identity.pages.views import Pager, Part, UsersView, nothing_wrong, user_line
from pilothouse.identity.service.passwords import hash_password

router = APIRouter(prefix="/_/admin/users")
PAGE_SIZE = 50


class UserForm(BaseModel):
    """What the form for a new user sends."""

    username: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    role: Role = Role.VIEWER
    password: SecretStr = SecretStr("")


@dataclass(frozen=True)
class Listed:
    """A change from the list of users, and the part of the list that is shown again afterwards."""

    db: Database
    caller: Principal
    rules: Rules
    part: Part
    base: str

    def path(self, user: User, verb: str) -> str:
        return f"{self.base}/_/admin/users/{user.guid}/{verb}{self.part.here}"

    def change(self, request: Request, verb: Callable[[Tx], Done]) -> Response:
        """Do one thing to one user; the reason stands above the list when it was refused."""
        try:
            with self.db.write() as tx:
                done = verb(tx)
        except (Conflict, Invalid) as error:
            return self._shown(request, 422, problem=str(error))
        return self._shown(request, 200, done=done)

    def _shown(self, request: Request, status: int, **changes: Any) -> Response:
        view = _view(request, self.db, self.caller, self.rules, self.part, **changes)
        return page(request, "identity/users.html", status=status, view=view)


def listed(request: Request, caller: SignedIn, db: Db, rules: RulesOf, part: Annotated[Part, Depends()]) -> Listed:
    return Listed(db, caller, rules, part, frame(request).base)


ListedOf = Annotated[Listed, Depends(listed)]


@router.get("")
def show(
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, part: Annotated[Part, Depends()], *, new: bool = False
) -> Response:
    """``new`` opens the form for another user."""
    return page(request, "identity/users.html", view=_view(request, db, caller, rules, part, opens=new))


@router.post("")
def create(request: Request, caller: SignedIn, db: Db, rules: RulesOf, form: Annotated[UserForm, Form()]) -> Response:
    """Add a user; the form stays open with what was typed when something is wrong."""
    require(caller, Permission.USER_CREATE)
    password = form.password.get_secret_value()
    names = form.model_dump(exclude={"password"})
    new = NewUser(**names, password=password)
    try:
        hashed = hash_password(password)
        with db.write() as tx:
            service.create_user(tx, caller, new=new, rules=rules, password_hash=hashed)
    except (Conflict, Invalid) as error:
        wrong = nothing_wrong() | {"password" if isinstance(error, WeakPassword) else "username": str(error)}
        view = _view(request, db, caller, rules, Part(), opens=True, typed=nothing_wrong() | names, wrong=wrong)
        return page(request, "identity/users.html", status=422, view=view)
    return to(request, f"/_/admin/users?{urlencode({'prefix': form.username})}")


@router.post("/{guid}/role")
def set_role(request: Request, listed: ListedOf, guid: str, role: Annotated[Role, Form()]) -> Response:
    def change(tx: Tx) -> Done:
        user = service.get_user(tx, guid)
        before = user.role
        service.set_role(tx, listed.caller, user, role=role)
        return Done(f"{user.username} is {role} now.", listed.path(user, "role"), {"role": before})

    return listed.change(request, change)


@router.post("/{guid}/lock")
def lock(request: Request, listed: ListedOf, guid: str) -> Response:
    return listed.change(request, lambda tx: _locked(tx, listed, guid, locked=True))


@router.post("/{guid}/unlock")
def unlock(request: Request, listed: ListedOf, guid: str) -> Response:
    return listed.change(request, lambda tx: _locked(tx, listed, guid, locked=False))


def _locked(tx: Tx, listed: Listed, guid: str, *, locked: bool) -> Done:
    user = service.lock_user(tx, listed.caller, service.get_user(tx, guid), locked=locked)
    words = (
        f"{user.username} is locked, and signed out everywhere." if locked else f"{user.username} may sign in again."
    )
    return Done(words, listed.path(user, "unlock" if locked else "lock"))


@router.post("/{guid}/password")
def reset_password(request: Request, listed: ListedOf, guid: str, password: Annotated[str, Form()] = "") -> Response:
    require(listed.caller, Permission.USER_CREATE)
    hashed = hash_password(password)

    def reset(tx: Tx) -> Done:
        user = service.get_user(tx, guid)
        service.reset_password(tx, listed.caller, user, password=password, rules=listed.rules, password_hash=hashed)
        return Done(f"{user.username} has a new password, and is signed out everywhere.")

    return listed.change(request, reset)


def _view(request: Request, db: Database, caller: Principal, rules: Rules, part: Part, **changes: Any) -> UsersView:
    require(caller, Permission.USER_CREATE)
    base = frame(request).base
    with db.read() as tx:
        found = service.list_users(tx, caller, prefix=part.prefix, page=part.number, page_size=PAGE_SIZE)
        lines = [user_line(user, base) for user in found.items]
    return UsersView(
        users=lines,
        prefix=part.prefix,
        pager=pager(f"{base}/_/admin/users", part.prefix, part.number, found.total),
        password_hint=password_hint(rules, catalogue(ENGLISH)),
        here=part.here,
        **changes,
    )


def pager(path: str, prefix: str, number: int, total: int, page_size: int = PAGE_SIZE) -> Pager:
    """Links to the pages before and after ``number``."""
    pages = max(1, math.ceil(total / page_size))

    def link(n: int) -> str:
        return f"{path}?{urlencode({'prefix': prefix, 'p': n})}" if 1 <= n <= pages else ""

    return Pager(number, pages, link(number - 1), link(number + 1))
