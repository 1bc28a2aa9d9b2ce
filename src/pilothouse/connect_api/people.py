"""Who am I, users, keys; signing in and the first administrator (connect-wire-api §1.3, §1.6, §2.1)."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pilothouse.asgi import xsrf
from pilothouse.asgi.context import ClientAddress, SignedIn
from pilothouse.asgi.paging import PAGES_LIMIT
from pilothouse.asgi.patience import apart
from pilothouse.base.access import Permission, Role, require
from pilothouse.base.errors import Invalid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, flag, integer, text_or_none
from pilothouse.connect_api.context import WireOf
from pilothouse.identity import service as people
from pilothouse.identity.contract import BootstrapDisabled, InvalidKey, NewUser, NoDirectory
from pilothouse.identity.service.passwords import hash_password

router = APIRouter()
E = TypeVar("E", bound=StrEnum)


class CredentialsMissing(Invalid):
    """Send “username” and “password”."""

    code = "connect-api/credentials-missing"


class UsersAsked(BaseModel):
    """Which users, in which order; several values of one filter are joined by ``|``."""

    prefix: str = ""
    user_role: str = ""
    account_status: str = ""
    asc_order: bool = True
    page_number: int = Field(1, ge=1, le=PAGES_LIMIT)
    page_size: int = Field(500, ge=1, le=500)


class LockInvalid(Invalid):
    """Send “locked”: true or false."""

    code = "connect-api/lock-invalid"


class FilterInvalid(Invalid):
    """This is no value of the filter."""

    code = "connect-api/filter-invalid"


@router.get("/v1/user")
def current_user(caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.user(people.get_user(tx, caller.guid))


@router.get("/me")
@router.get("/users/current")
@router.get("/users/current/")
def legacy_current_user(caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.legacy_user(people.get_user(tx, caller.guid))


@router.get("/v1/users")
def users(caller: SignedIn, wire: WireOf, asked: Annotated[UsersAsked, Query()]) -> dict[str, Any]:
    roles, accounts = _chosen(Role, asked.user_role), _chosen(people.Account, asked.account_status)
    wanted = people.People(asked.prefix, roles, accounts, asked.asc_order)
    with wire.database.read() as tx:
        found = people.list_users(tx, caller, wanted=wanted, page=asked.page_number, page_size=asked.page_size)
        results = [shapes.user(u) for u in found.items]
        return {"results": results, "current_page": asked.page_number, "total": found.total}


@router.post("/v1/users")
def create_user(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    """``__confirmed`` is taken and changes nothing: who is made here is confirmed."""
    require(caller, Permission.USER_CREATE)
    names = {field: text_or_none(body, field) or "" for field in ("username", "email", "first_name", "last_name")}
    password, role = text_or_none(body, "password"), text_or_none(body, "user_role")
    new = NewUser(
        **names,
        role=_role(role) if role else Role.VIEWER,
        password=password,
        external_id=text_or_none(body, "unique_id"),
        must_set_password=flag(body, "user_must_set_password"),
    )
    if password is not None:
        people.check_password(password, new.username, wire.rules)
    hashed = hash_password(password) if password is not None else None
    with wire.database.write() as tx:
        return shapes.user(people.create_user(tx, caller, new=new, rules=wire.rules, password_hash=hashed))


@router.put("/v1/users")
def import_user(body: JsonObject, caller: SignedIn) -> None:
    require(caller, Permission.USER_CREATE)
    raise NoDirectory


@router.get("/v1/users/remote")
def remote_users(caller: SignedIn, prefix: str = "") -> dict[str, Any]:
    """Whom a directory has that this server does not know yet. There is none."""
    require(caller, Permission.USER_LIST)
    return {"results": [], "current_page": 1, "total": 0}


@router.get("/v1/users/{guid}")
def user(guid: Guid, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.user(people.view_user(tx, caller, guid))


@router.put("/v1/users/{guid}")
def update_user(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    """What is not sent, or null, stays as it is."""
    changes = {
        field: text for field in ("email", "first_name", "last_name") if (text := text_or_none(body, field)) is not None
    }
    username, role = text_or_none(body, "username"), text_or_none(body, "user_role")
    with wire.database.write() as tx:
        row = people.view_user(tx, caller, guid)
        people.update_user(tx, caller, row, changes=changes)
        if username is not None and username != row.username:
            people.rename_user(tx, caller, row, username=username)
        if role is not None and role != row.role:
            people.set_role(tx, caller, row, role=_role(role))
        return shapes.user(row)


@router.post("/v1/users/{guid}/lock")
def lock_user(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    if not isinstance(body.get("locked"), bool):
        raise LockInvalid
    with wire.database.write() as tx:
        return shapes.user(people.lock_user(tx, caller, people.view_user(tx, caller, guid), locked=body["locked"]))


@router.get("/v1/users/{guid}/keys")
def keys(guid: Guid, caller: SignedIn, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        return [shapes.key(k) for k in people.keys(tx, caller, people.get_user(tx, guid))]


@router.post("/v1/users/{guid}/keys")
def create_key(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.write() as tx:
        made = people.create_key(
            tx, caller, people.get_user(tx, guid), name=text_or_none(body, "name") or "", rules=wire.rules
        )
        return {**shapes.key(made.row), "key": made.plain}


@router.delete("/v1/users/{guid}/keys/{key_id}", status_code=204)
def revoke_key(guid: Guid, key_id: str, caller: SignedIn, wire: WireOf) -> Response:
    number = integer(key_id, "key id")
    with wire.database.write() as tx:
        people.revoke_key(tx, caller, people.get_key(tx, people.get_user(tx, guid), number))
    return Response(status_code=204)


@router.post("/__login__")
async def sign_in(body: JsonObject, request: Request, address: ClientAddress, wire: WireOf) -> Response:
    """A browser login for programs: the session cookie, and the token that unsafe calls echo."""
    username, password = text_or_none(body, "username"), text_or_none(body, "password")
    if not username or not password:
        raise CredentialsMissing
    agent = request.headers.get("user-agent", "")
    leave = await apart(partial(people.attempt, wire.database, username=username, address=address, rules=wire.rules))
    await asyncio.sleep(leave.pause.total_seconds())
    made = await apart(
        partial(people.sign_in, wire.database, leave, password=password, user_agent=agent, rules=wire.rules)
    )
    response = JSONResponse({"guid": made.user.guid, "username": made.user.username})
    age = int(wire.rules.login_lifetime.total_seconds())
    response.set_cookie(
        wire.login_cookie, made.cookie, max_age=age, httponly=True, samesite="lax", secure=wire.is_https, path="/"
    )
    token = xsrf.token(wire.xsrf_key, made.login.id)
    response.set_cookie(xsrf.COOKIE, token, max_age=age, samesite="lax", secure=wire.is_https, path="/")
    return response


@router.post("/v1/experimental/bootstrap")
def bootstrap(request: Request, wire: WireOf) -> dict[str, str]:
    if wire.bootstrap_secret is None:
        raise BootstrapDisabled
    word, _, token = request.headers.get("authorization", "").partition(" ")
    if word.lower() != "connect-bootstrap":
        raise InvalidKey("Send the header Authorization: Connect-Bootstrap with a token.")
    with wire.database.write() as tx:
        return {"api_key": people.bootstrap(tx, token=token.strip(), secret=wire.bootstrap_secret).plain}


def _chosen(kind: type[E], text: str) -> list[E]:
    """Of words joined by ``|``. Raises `FilterInvalid` for one that we don't know."""
    words = [word for word in text.split("|") if word]
    if unknown := [word for word in words if word not in set(kind)]:
        raise FilterInvalid(f"“{unknown[0][:40]}” is none of {', '.join(kind)}.")
    return [kind(word) for word in words]


def _role(text: str) -> Role:
    return _chosen(Role, text.replace("|", "?"))[0]
