"""Browser logins: signing in, the cookie's secret, listing and ending."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import ANONYMOUS, Permission, Principal, ResourceRef, Role, require
from pilothouse.base.errors import NotFound
from pilothouse.base.ids import new_key, new_token
from pilothouse.db import Database, Tx, insert_into
from pilothouse.identity.contract import AccountLocked, Rules, WrongPassword
from pilothouse.identity.models import KeyUse, Login, User
from pilothouse.identity.service import passwords
from pilothouse.identity.service.attempts import Attempt, forget_attempt
from pilothouse.identity.service.nesting import groups_of
from pilothouse.identity.service.users import find_user, resource_of_user


class LoginUnknown(NotFound):
    """There is no such login; it may have ended."""

    code = "identity/login-unknown"


@dataclass(frozen=True)
class SignedIn:
    """A new login; ``cookie`` is the value to set, the only time its secret is seen."""

    login: Login
    user: User
    cookie: str


def sign_in(
    database: Database, attempt: Attempt, *, password: str, user_agent: str, rules: Rules = Rules()
) -> SignedIn:
    """Check name and password and begin a login. Opens its own transactions, so that no lock is held while hashing.

    ``attempt`` comes from `attempt`; wait for its pause first. Raises `WrongPassword` (also for unknown names, in the same
    time), `AccountLocked`.
    """
    with database.read() as tx:
        user = find_user(tx, attempt.username)
    if not passwords.matches(password, user.password_hash if user else None) or user is None:
        with database.write() as tx:
            tried = ResourceRef("user", user.id) if user else None
            record(tx, ANONYMOUS, "identity:login:failed", tried, after={"address": attempt.address})
        raise WrongPassword
    renewed = passwords.renewed(password, user.password_hash)
    with database.write() as tx:
        now = tx.get(User, user.id)
        if now is None or now.password_hash != user.password_hash:
            raise WrongPassword  # it was changed while we were hashing
        if now.locked:
            raise AccountLocked
        forget_attempt(tx, attempt)
        now.password_hash = renewed or now.password_hash
        return begin_login(tx, now, address=attempt.address, user_agent=user_agent, rules=rules)


def begin_login(
    tx: Tx, user: User, *, address: str, user_agent: str, rules: Rules = Rules(), provider: str = "password"
) -> SignedIn:
    """A login for somebody whose identity was proved by ``provider``."""
    secret, now = new_token(32), clock.now()
    login = Login(
        id=new_key(16),
        secret_digest=_digest(secret),
        user_id=user.id,
        provider=provider,
        address=address[:64],
        user_agent=user_agent[:400],
        expires_at=now + rules.login_lifetime,
    )
    tx.add(login)
    live = tx.get(User, user.id)
    assert live is not None
    live.active_at = now
    record(
        tx,
        principal_of_user(tx, live, login=login.id),
        "identity:login:started",
        None,
        after={"provider": provider},
    )
    return SignedIn(login, live, f"{login.id}.{secret}")


def logins(tx: Tx, actor: Principal, user: User) -> list[Login]:
    """A person's logins that have not ended, newest first; without those that were entered from them."""
    require(actor, Permission.LOGIN_END, resource_of_user(user))
    alive = (
        Login.user_id == user.id,
        Login.parent_id.is_(None),
        Login.ended_at.is_(None),
        Login.expires_at > clock.now(),
    )
    return list(tx.scalars(select(Login).where(*alive).order_by(Login.created_at.desc())))


def get_login(tx: Tx, login_id: str) -> Login:
    """Raises `LoginUnknown`."""
    login = tx.get(Login, login_id)
    if login is None or login.ended_at is not None:
        raise LoginUnknown
    return login


def first_login(tx: Tx, caller: Principal) -> str | None:
    """The id of the login that ``caller`` signed in with, also where it was entered on another host name."""
    login = tx.get(Login, caller.login) if caller.login else None
    return (login.parent_id or login.id) if login else None


def end_login(tx: Tx, actor: Principal, login: Login) -> None:
    """Sign out, on every host name: at the next request the cookies are worth nothing. An ended one is a no-op."""
    require(actor, Permission.LOGIN_END, resource_of_user(login.user))
    first = login.parent or login
    if first.ended_at is None:
        first.ended_at = clock.now()
        record(tx, actor, "identity:login:ended", None, before={"user_id": first.user_id})
    for entered in tx.scalars(select(Login).where(Login.parent_id == first.id, Login.ended_at.is_(None))):
        entered.ended_at = first.ended_at


def principal_of_cookie(tx: Tx, cookie: str, *, host: str = "") -> Principal | None:
    """Who a login cookie is on the host name ``host``; ``None`` for a wrong, ended or expired one, or a locked user."""
    login_id, _, secret = cookie.partition(".")
    login = tx.get(Login, login_id[:24]) if secret else None
    if login is None or not hmac.compare_digest(login.secret_digest, _digest(secret)):
        return None
    if not is_alive(login) or login.host not in (None, host):
        return None
    return principal_of_user(tx, login.user, login=login.id)


def is_alive(login: Login) -> bool:
    """Whether it counts, on its own host name: neither it nor the one it was entered from has ended."""
    if login.ended_at is not None or login.expires_at <= clock.now() or login.user.locked or login.user.deleted_at:
        return False
    return login.parent is None or is_alive(login.parent)


def principal_of_user(tx: Tx, user: User, *, login: str | None = None) -> Principal:
    """The principal of a person, with the groups they are in, and those that these are in."""
    rows = groups_of(tx, user.id)
    return Principal(
        id=user.id,
        role=Role(user.role),
        username=user.username,
        guid=user.guid,
        groups=frozenset(group_id for group_id, _ in rows),
        group_names=tuple(name for _, name in rows),
        login=login,
        language=user.locale or "",
    )


def note_use(tx: Tx, kind: str, ref: str) -> None:
    """Remember that a key or login was used now."""
    insert = insert_into(tx, KeyUse).values(kind=kind, ref=ref, at=clock.now())
    tx.execute(insert.on_conflict_do_update(index_elements=["kind", "ref"], set_={"at": insert.excluded.at}))


def last_used(tx: Tx, kind: str, refs: Iterable[object]) -> Mapping[str, datetime]:
    """When each of these keys ("key") or logins ("login") was last used, to the minute; those never used are missing."""
    chosen = select(KeyUse.ref, KeyUse.at).where(KeyUse.kind == kind, KeyUse.ref.in_([str(ref) for ref in refs]))
    return {ref: at for ref, at in tx.execute(chosen)}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
