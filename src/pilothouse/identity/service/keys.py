"""API keys: 256 bits, shown once, kept as SHA-256; bound ones die with their job. And the very first key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import SYSTEM, Permission, Principal, ResourceRef, Role, require
from pilothouse.base.errors import Invalid
from pilothouse.base.ids import new_token
from pilothouse.db import Tx
from pilothouse.identity.contract import AlreadyBootstrapped, Bound, InvalidKey, KeyUnknown, NewUser, Rules
from pilothouse.identity.models import ApiKey, User
from pilothouse.identity.service.lines import is_line
from pilothouse.identity.service.logins import principal_of_user
from pilothouse.identity.service.users import create_user, live_keys, resource_of_user

PREFIX = "ph_"
FIRST_USER = "admin"
ROLES = list(Role)


class KeyNameInvalid(Invalid):
    """A key needs a name of at most 255 characters, so that you know later what it is for."""

    code = "identity/key-name-invalid"


@dataclass(frozen=True)
class NewKey:
    """A new key; ``plain`` is the only time it is seen."""

    row: ApiKey
    plain: str = field(repr=False)


def create_key(  # noqa: PLR0913 - the facts of a key
    tx: Tx,
    actor: Principal,
    user: User,
    *,
    name: str,
    role_cap: Role | None = None,
    bound: Bound | None = None,
    token: str | None = None,
    rules: Rules = Rules(),
) -> NewKey:
    """A key that acts as ``user``, capped at ``role_cap``; with ``bound`` it belongs to a job and sees its stage only.

    Whoever acts with a capped key can't make a better one for themselves. ``token`` (256 bits) replaces the random part
    for keys that can be made again: a second call with the same one returns the key that is there.
    """
    require(actor, Permission.KEY_CREATE, resource_of_user(user))
    name = name.strip()
    if not name or not is_line(name):
        raise KeyNameInvalid
    if actor.id == user.id and actor.role is not None and actor.role != user.role:
        role_cap = min(role_cap or actor.role, actor.role, key=ROLES.index)
    plain = PREFIX + (token or new_token(32))
    if token and (there := tx.scalar(select(ApiKey).where(ApiKey.digest == _digest(plain)))) is not None:
        return NewKey(there, plain)
    row = ApiKey(
        user_id=user.id, name=name, prefix=plain[:8], digest=_digest(plain), role_cap=role_cap.value if role_cap else None,
        bound_kind=bound.subject.kind if bound else None, bound_id=bound.subject.id if bound else None,
        job_id=bound.job_id if bound else None, stage_id=bound.stage_id if bound else None,
        expires_at=(bound.expires_at if bound else clock.now() + rules.key_lifetime if rules.key_lifetime else None),
    )  # fmt: skip
    tx.add(row)
    tx.flush()
    if bound is None:
        record(
            tx, actor, "identity:key:created", ResourceRef("api_key", row.id), after={"name": name, "user_id": user.id}
        )
    return NewKey(row, plain)


def create_passing_key(tx: Tx, user: User, *, name: str, role: Role, stage_id: int, lifetime: timedelta) -> NewKey:
    """A key for a program that a trusted issuer vouches for: of one stage, capped at ``role``, and for a while. Nobody's permission is
    asked: the settings gave it."""
    plain = PREFIX + new_token(32)
    row = ApiKey(
        user_id=user.id, name=name, prefix=plain[:8], digest=_digest(plain), role_cap=role.value, stage_id=stage_id,
        expires_at=clock.now() + lifetime,
    )  # fmt: skip
    tx.add(row)
    tx.flush()
    after = {"name": name, "user_id": user.id, "role_cap": role.value, "expires_at": row.expires_at}
    record(tx, SYSTEM, "identity:key:exchanged", ResourceRef("api_key", row.id), stage_id=stage_id, after=after)
    return NewKey(row, plain)


def keys(tx: Tx, actor: Principal, user: User) -> list[ApiKey]:
    """A person's own keys that still work, oldest first."""
    require(actor, Permission.KEY_REVOKE, resource_of_user(user))
    return live_keys(tx, user)


def get_key(tx: Tx, user: User, key_id: int) -> ApiKey:
    """Raises `KeyUnknown`."""
    row = tx.get(ApiKey, key_id)
    if row is None or row.user_id != user.id or row.revoked_at is not None:
        raise KeyUnknown
    return row


def revoke_key(tx: Tx, actor: Principal, key: ApiKey) -> None:
    """End a key at once; a revoked one is a no-op."""
    require(actor, Permission.KEY_REVOKE, resource_of_user(key.user))
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        record(
            tx,
            actor,
            "identity:key:revoked",
            ResourceRef("api_key", key.id),
            before={"name": key.name, "user_id": key.user_id},
        )


def revoke_job_keys(tx: Tx, job_id: int) -> None:
    """End the keys of a job that ended. Called by the owner of the job; needs no permission of its own."""
    for key in tx.scalars(select(ApiKey).where(ApiKey.job_id == job_id, ApiKey.revoked_at.is_(None))):
        key.revoked_at = clock.now()


def principal_of_key(tx: Tx, plain: str) -> Principal:
    """Who a key acts as. Raises `InvalidKey` for an unknown, expired or revoked one, and for a locked user's."""
    row = tx.scalar(select(ApiKey).where(ApiKey.digest == _digest(plain)))
    if row is None or row.revoked_at is not None or _is_over(row.expires_at):
        raise InvalidKey
    if row.user.locked or row.user.deleted_at is not None:
        raise InvalidKey("The API key belongs to a locked account. Ask an administrator to unlock it.")
    person = principal_of_user(tx, row.user)
    cap = Role(row.role_cap) if row.role_cap else None
    role = min(person.role, cap, key=ROLES.index) if person.role and cap else person.role
    bound = ResourceRef(row.bound_kind, row.bound_id) if row.bound_kind and row.bound_id is not None else None
    return replace(person, role=role, key=row.id, bound_to=bound, stage_id=row.stage_id)


def bootstrap(tx: Tx, *, token: str, secret: bytes) -> NewKey:
    """The first administrator and their key, for whoever holds ``secret`` (connect-wire-api §1.6).

    Raises `InvalidKey` for a bad token and `AlreadyBootstrapped` once a user exists.
    """
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=["HS256"]).claims
        jwt.JWTClaimsRegistry(
            now=lambda: int(clock.now().timestamp()),
            iss={"essential": True, "value": "rsconnect-python"},
            aud={"essential": True, "value": "rsconnect"},
            scope={"essential": True, "value": "bootstrap"},
            exp={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError) as error:
        raise InvalidKey(
            "The bootstrap token is not valid: it was signed with another secret, or it is older than 15 minutes."
        ) from error
    if tx.scalar(select(User.id).limit(1)) is not None:
        raise AlreadyBootstrapped
    user = create_user(tx, SYSTEM, new=NewUser(FIRST_USER, role=Role.ADMINISTRATOR, must_set_password=True))
    record(tx, SYSTEM, "identity:user:bootstrapped", ResourceRef("user", user.id))
    return create_key(tx, SYSTEM, user, name="bootstrap")


def _is_over(at: datetime | None) -> bool:
    return at is not None and at <= clock.now()


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
