"""Administration of users."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, SecretStr

from pilothouse.asgi.context import Db, SignedIn
from pilothouse.asgi.rendering import frame, page, to
from pilothouse.base.access import Permission, Principal, Role, require
from pilothouse.base.errors import Conflict, Invalid
from pilothouse.db import Database, Tx
from pilothouse.identity import service
from pilothouse.identity.contract import NewUser, Rules, WeakPassword
from pilothouse.identity.models import User
from pilothouse.identity.pages.rules import RulesOf, password_hint
from pilothouse.identity.pages.views import Pager, UsersView, nothing_wrong, user_line
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


@router.get("")
def show(  # noqa: PLR0913 - what the address says
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, prefix: str = "", p: int = 1, new: bool = False
) -> Response:
    """``new`` opens the form for another user."""
    view = _view(request, db, caller, rules, prefix=prefix, number=max(p, 1), opens=new)
    return page(request, "identity/users.html", view=view)


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
        view = _view(request, db, caller, rules, opens=True, typed=nothing_wrong() | names, wrong=wrong)
        return page(request, "identity/users.html", status=422, view=view)
    return to(request, f"/_/admin/users?{urlencode({'prefix': form.username})}")


@router.post("/{guid}/role")
def set_role(
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, guid: str, role: Annotated[Role, Form()]
) -> Response:
    return _change(
        request, caller, db, rules, lambda tx: service.set_role(tx, caller, service.get_user(tx, guid), role=role)
    )


@router.post("/{guid}/lock")
def lock(request: Request, caller: SignedIn, db: Db, rules: RulesOf, guid: str) -> Response:
    return _change(
        request, caller, db, rules, lambda tx: service.lock_user(tx, caller, service.get_user(tx, guid), locked=True)
    )


@router.post("/{guid}/unlock")
def unlock(request: Request, caller: SignedIn, db: Db, rules: RulesOf, guid: str) -> Response:
    return _change(
        request, caller, db, rules, lambda tx: service.lock_user(tx, caller, service.get_user(tx, guid), locked=False)
    )


@router.post("/{guid}/password")
def reset_password(
    request: Request, caller: SignedIn, db: Db, rules: RulesOf, guid: str, password: Annotated[str, Form()] = ""
) -> Response:
    require(caller, Permission.USER_CREATE)
    hashed = hash_password(password)

    def reset(tx: Tx) -> User:
        user = service.get_user(tx, guid)
        service.reset_password(tx, caller, user, password=password, rules=rules, password_hash=hashed)
        return user

    return _change(request, caller, db, rules, reset)


def _change(request: Request, caller: Principal, db: Database, rules: Rules, verb: Callable[[Tx], User]) -> Response:
    """Do one thing to one user and show the list again, with the reason above it when it was refused."""
    try:
        with db.write() as tx:
            user = verb(tx)
            done = f"Saved {user.username}."
    except (Conflict, Invalid) as error:
        view = _view(request, db, caller, rules, problem=str(error))
        return page(request, "identity/users.html", status=422, view=view)
    return page(request, "identity/users.html", view=_view(request, db, caller, rules, done=done))


def _view(
    request: Request, db: Database, caller: Principal, rules: Rules, *, number: int = 1, **changes: Any
) -> UsersView:
    require(caller, Permission.USER_CREATE)
    prefix, base = changes.pop("prefix", ""), frame(request).base
    with db.read() as tx:
        found = service.list_users(tx, caller, prefix=prefix, page=number, page_size=PAGE_SIZE)
        lines = [user_line(user, base) for user in found.items]
    return UsersView(
        users=lines,
        prefix=prefix,
        pager=pager(f"{base}/_/admin/users", prefix, number, found.total),
        password_hint=password_hint(rules),
        **changes,
    )


def pager(path: str, prefix: str, number: int, total: int, page_size: int = PAGE_SIZE) -> Pager:
    """Links to the pages before and after ``number``."""
    pages = max(1, math.ceil(total / page_size))

    def link(n: int) -> str:
        return f"{path}?{urlencode({'prefix': prefix, 'p': n})}" if 1 <= n <= pages else ""

    return Pager(number, pages, link(number - 1), link(number + 1))
