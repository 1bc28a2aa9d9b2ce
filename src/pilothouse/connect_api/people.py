"""Who am I, users, groups, keys; signing in and the first administrator (connect-wire-api §1.3, §1.6, §2.1)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select

from pilothouse.asgi import xsrf
from pilothouse.asgi.context import ClientAddress, SignedIn
from pilothouse.asgi.paging import PageNumber, PageSize, RowId
from pilothouse.asgi.patience import apart
from pilothouse.base.access import Role
from pilothouse.base.errors import Invalid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonObject, text_or_none
from pilothouse.connect_api.context import WireOf
from pilothouse.identity import service as people
from pilothouse.identity.contract import BootstrapDisabled, InvalidKey
from pilothouse.identity.models import User

router = APIRouter()


class CredentialsMissing(Invalid):
    """Send “username” and “password”."""

    code = "connect-api/credentials-missing"


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
def users(
    caller: SignedIn,
    wire: WireOf,
    prefix: str = "",
    user_role: str = "",
    page_number: PageNumber = 1,
    page_size: PageSize = 500,
) -> dict[str, Any]:
    roles = [Role(r) for r in user_role.split("|") if r in set(Role)]
    with wire.database.read() as tx:
        found = people.list_users(tx, caller, prefix=prefix, roles=roles, page=page_number, page_size=page_size)
        return {"results": [shapes.user(u) for u in found.items], "current_page": page_number, "total": found.total}


@router.get("/v1/users/{guid}")
def user(guid: Guid, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.user(people.get_user(tx, guid))


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
def revoke_key(guid: Guid, key_id: RowId, caller: SignedIn, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        people.revoke_key(tx, caller, people.get_key(tx, people.get_user(tx, guid), key_id))
    return Response(status_code=204)


@router.get("/v1/groups")
def groups(
    caller: SignedIn, wire: WireOf, prefix: str = "", page_number: PageNumber = 1, page_size: PageSize = 500
) -> dict[str, Any]:
    with wire.database.read() as tx:
        found = people.list_groups(tx, caller, prefix=prefix, page=page_number, page_size=page_size)
        owners = [g.owner_id for g in found.items if g.owner_id]
        guids = {number: guid for number, guid in tx.execute(select(User.id, User.guid).where(User.id.in_(owners)))}
        results = [shapes.group(g, guids.get(g.owner_id or 0)) for g in found.items]
    return {"results": results, "current_page": page_number, "total": found.total}


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
