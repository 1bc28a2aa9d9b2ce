"""What a person allowed a program: giving, listing, ending."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import NOTHING, Permission, Principal, ResourceRef, require
from pilothouse.base.ids import new_token
from pilothouse.db import Tx
from pilothouse.identity.contract import AuthorizationUnknown, ClaimedInBrowser
from pilothouse.identity.models import ApiKey, Authorization, DeviceRequest, OAuthClient, User
from pilothouse.identity.service.users import resource_of_user

#: An authorization code is carried over by a redirect: seconds are enough, minutes are allowed.
CODE_LIFETIME = timedelta(minutes=2)


def allow(tx: Tx, actor: Principal, client: OAuthClient, *, stage_id: int, redirect_uri: str, challenge: str) -> str:
    """The code that the browser carries to the program, good for one use. Raises `ClaimedInBrowser` for anything but a browser's login."""
    user = may_give(tx, actor)
    code = new_token(32)
    given = give(tx, actor, client, user=user, stage_id=stage_id)
    given.code_digest, given.code_challenge, given.redirect_uri = digest(code), challenge, redirect_uri
    given.code_until = clock.now() + CODE_LIFETIME
    return code


def give(tx: Tx, actor: Principal, client: OAuthClient, *, user: User, stage_id: int) -> Authorization:
    """An authorization without tokens yet."""
    require(actor, Permission.KEY_CREATE, resource_of_user(user))
    given = Authorization(user_id=user.id, client_id=client.id, stage_id=stage_id, network=client.network)
    tx.add(given)
    tx.flush()
    after = {"user_id": user.id, "client_id": client.id}
    record(
        tx,
        actor,
        "identity:authorization:allowed",
        ResourceRef("authorization", given.id),
        stage_id=stage_id,
        after=after,
    )
    return given


def may_give(tx: Tx, actor: Principal) -> User:
    """Who ``actor`` is, if they came with a browser's login. A program never makes itself or another a wider right than it has."""
    user = tx.get(User, actor.id) if actor.id is not None else None
    require(actor, Permission.KEY_CREATE, resource_of_user(user) if user else NOTHING)
    if user is None or actor.login is None or actor.is_program:
        raise ClaimedInBrowser
    return user


def authorizations(tx: Tx, actor: Principal, user: User) -> list[tuple[Authorization, ApiKey]]:
    """The programs that can act as a person now or after a refresh, oldest first, each with its access token's key."""
    require(actor, Permission.KEY_REVOKE, resource_of_user(user))
    chosen = select(Authorization, ApiKey).join(ApiKey, ApiKey.authorization_id == Authorization.id)
    alive = (
        Authorization.user_id == user.id,
        Authorization.revoked_at.is_(None),
        Authorization.refresh_until > clock.now(),
    )
    return [(given, key) for given, key in tx.execute(chosen.where(*alive).order_by(Authorization.id))]


def get_authorization(tx: Tx, user: User, authorization_id: int) -> Authorization:
    """Raises `AuthorizationUnknown` for one that is not this person's, or has ended."""
    given = tx.get(Authorization, authorization_id)
    if given is None or given.user_id != user.id or given.revoked_at is not None:
        raise AuthorizationUnknown
    return given


def revoke_authorization(tx: Tx, actor: Principal, given: Authorization, *, how: str = "person") -> None:
    """Its tokens are refused at once. An ended one is a no-op. ``how`` says who ended it, or what showed that it was stolen."""
    require(actor, Permission.KEY_REVOKE, resource_of_user(given.user))
    if given.revoked_at is not None:
        return
    given.revoked_at = clock.now()
    for key in tx.scalars(select(ApiKey).where(ApiKey.authorization_id == given.id, ApiKey.revoked_at.is_(None))):
        key.revoked_at = given.revoked_at
    for waiting in tx.scalars(select(DeviceRequest).where(DeviceRequest.authorization_id == given.id)):
        tx.delete(waiting)
    before = {"user_id": given.user_id, "client_id": given.client_id}
    ref = ResourceRef("authorization", given.id)
    record(tx, actor, "identity:authorization:revoked", ref, stage_id=given.stage_id, before=before, after={"how": how})


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
