"""Entering a login on another host name: a code that is good once, there, for the browser that asked for it (SECURITY 8)."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import delete

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, require
from pilothouse.base.errors import NotAuthenticated
from pilothouse.base.ids import new_key, new_token
from pilothouse.db import Database, Tx
from pilothouse.identity.models import Login, LoginCode
from pilothouse.identity.service.logins import SignedIn, is_alive, principal_of_user

#: The way from one host name to the other is one redirect and one form.
CODE_LIFE = timedelta(seconds=60)


class CodeInvalid(NotAuthenticated):
    """This way in is used up, too old, or another browser's. Open the address again."""

    code = "identity/code-invalid"


def issue_code(tx: Tx, actor: Principal, *, host: str, challenge: str) -> str:
    """A code with which ``actor`` enters ``host``: for whoever knows the secret whose SHA-256 (hex) is ``challenge``, within `CODE_LIFE`.

    Raises `NotAuthenticated` for anybody without a living login of their own: keys enter nowhere, and nobody goes on from an
    entered one.
    """
    require(actor, Permission.LOGIN_ENTER)
    login = tx.get(Login, actor.login) if actor.login and actor.key is None else None
    if login is None or login.parent_id is not None or not is_alive(login):
        raise NotAuthenticated
    tx.execute(delete(LoginCode).where(LoginCode.expires_at <= clock.now()))
    code = new_token(32)
    expires_at = clock.now() + CODE_LIFE
    tx.add(LoginCode(digest=_digest(code), login_id=login.id, host=host, challenge=challenge, expires_at=expires_at))
    return code


def enter(database: Database, *, code: str, host: str, secrets: list[str], address: str, user_agent: str) -> SignedIn:
    """Begin a login on ``host`` that ends with the one the code was issued for. The code is used up, whatever comes of it.

    ``secrets`` are those that the browser holds. Raises `CodeInvalid`. Opens its own transactions, because a refusal must not
    take back that the code was used.
    """
    with database.write() as tx:
        found = _used_up(tx, code)
    held = {_digest(secret) for secret in secrets}
    if found is None or found.expires_at <= clock.now() or found.host != host or found.challenge not in held:
        raise CodeInvalid
    with database.write() as tx:
        parent = tx.get(Login, found.login_id)
        if parent is None or not is_alive(parent):
            raise CodeInvalid
        return _begin(tx, parent, host=host, address=address, user_agent=user_agent)


def _used_up(tx: Tx, code: str) -> LoginCode | None:
    """The code's row, for whoever was first to take it away."""
    found = tx.get(LoginCode, _digest(code))
    if found is None:
        return None
    tx.expunge(found)
    gone = tx.execute(delete(LoginCode).where(LoginCode.digest == found.digest).returning(LoginCode.digest)).all()
    return found if gone else None


def _begin(tx: Tx, parent: Login, *, host: str, address: str, user_agent: str) -> SignedIn:
    secret = new_token(32)
    login = Login(
        id=new_key(16),
        secret_digest=_digest(secret),
        user_id=parent.user_id,
        parent_id=parent.id,
        host=host,
        provider=parent.provider,
        address=address[:64],
        user_agent=user_agent[:400],
        expires_at=parent.expires_at,
    )
    tx.add(login)
    actor = principal_of_user(tx, parent.user, login=login.id)
    record(tx, actor, "identity:login:entered", None, after={"provider": parent.provider, "host": host})
    return SignedIn(login, parent.user, f"{login.id}.{secret}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
