"""Tokens of programs that sign their requests: a program announces one, a person claims it in the browser, and may revoke it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.exc import IntegrityError

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import NOTHING, Permission, Principal, ResourceRef, require
from pilothouse.db import Tx
from pilothouse.identity.contract import (
    ClaimedInBrowser,
    InvalidKey,
    TokenInvalid,
    TokenTaken,
    TokenUnknown,
    TooManyWaiting,
)
from pilothouse.identity.models import SigningToken, User
from pilothouse.identity.service.attempts import network_of
from pilothouse.identity.service.logins import principal_of_user
from pilothouse.identity.service.signatures import load_key
from pilothouse.identity.service.users import resource_of_user

NAME = re.compile(r"T[0-9a-f]{32}")
#: A token waits so long for somebody to claim it.
PATIENCE = timedelta(hours=1)
#: So many may wait at once: of one network, behind which a whole course may sit, and in all.
WAITING_OF_NETWORK, WAITING = 100, 5000
#: The bare table: what nobody claimed is nobody's, so its going makes no cache forget anybody.
TABLE = cast(Table, SigningToken.__table__)


@dataclass(frozen=True)
class Signer:
    """Who a token acts as, and the key that its requests must be signed with."""

    principal: Principal
    public_key: str


def announce_token(tx: Tx, *, name: str, public_key: str, address: str, user_agent: str) -> SigningToken:
    """Keep a program's public key until somebody claims it. The same one twice is one. Nobody needs to be signed in.

    Raises `TokenInvalid`, `TokenTaken`, `TooManyWaiting`.
    """
    if not NAME.fullmatch(name):
        raise TokenInvalid("A token is the letter T and 32 digits or letters from a to f.")
    load_key(public_key)
    now, network = clock.now(), network_of(address)
    tx.execute(delete(TABLE).where(*_waiting(), SigningToken.expires_at <= now))
    if (there := tx.scalar(select(SigningToken).where(SigningToken.name == name))) is not None:
        if there.public_key != public_key:
            raise TokenTaken
        return there
    waiting = select(func.count()).select_from(SigningToken).where(*_waiting())
    if (tx.scalar(waiting.where(SigningToken.network == network)) or 0) >= WAITING_OF_NETWORK:
        raise TooManyWaiting
    if (tx.scalar(waiting) or 0) >= WAITING:
        raise TooManyWaiting
    token = SigningToken(
        name=name, public_key=public_key, network=network, user_agent=user_agent[:400], expires_at=now + PATIENCE
    )
    tx.add(token)
    try:
        tx.flush()
    except IntegrityError as error:  # somebody else announced it in the meantime
        raise TokenTaken from error
    return token


def get_token(tx: Tx, name: str) -> SigningToken:
    """The token of this name that waits or is claimed. Raises `TokenUnknown`."""
    token = tx.scalar(select(SigningToken).where(SigningToken.name == name)) if NAME.fullmatch(name) else None
    if token is None or token.revoked_at is not None or (token.user_id is None and token.expires_at <= clock.now()):
        raise TokenUnknown
    return token


def claim_token(tx: Tx, actor: Principal, token: SigningToken) -> None:
    """From now on, requests signed with the token's key are those of ``actor``. One's own again is a no-op.

    Raises `ClaimedInBrowser` for anything but a browser's login, so that no program makes itself a wider right than it has,
    and `TokenTaken` if somebody else claimed it.
    """
    user = tx.get(User, actor.id) if actor.id is not None else None
    require(actor, Permission.KEY_CREATE, resource_of_user(user) if user else NOTHING)
    if user is None or actor.login is None or actor.is_program:
        raise ClaimedInBrowser
    tx.refresh(token, with_for_update=True)
    if token.user_id == user.id:
        return
    if token.user_id is not None:
        raise TokenTaken("Somebody else let this program in already. Start again from the program.")
    token.user_id, token.claimed_at = user.id, clock.now()
    record(tx, actor, "identity:token:claimed", ResourceRef("token", token.id), after={"user_id": user.id})


def tokens(tx: Tx, actor: Principal, user: User) -> list[SigningToken]:
    """The tokens that a person claimed and did not revoke, oldest first."""
    require(actor, Permission.KEY_REVOKE, resource_of_user(user))
    alive = (SigningToken.user_id == user.id, SigningToken.revoked_at.is_(None))
    return list(tx.scalars(select(SigningToken).where(*alive).order_by(SigningToken.id)))


def revoke_token(tx: Tx, actor: Principal, user: User, token: SigningToken) -> None:
    """Requests that it signs are refused at once. A revoked one is a no-op. Raises `TokenUnknown` if it is not ``user``'s."""
    require(actor, Permission.KEY_REVOKE, resource_of_user(user))
    if token.user_id != user.id:
        raise TokenUnknown
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record(tx, actor, "identity:token:revoked", ResourceRef("token", token.id), before={"user_id": user.id})


def signer_of_token(tx: Tx, name: str) -> Signer:
    """Raises `InvalidKey` for a token that nobody claimed yet, an unknown or revoked one, and a locked user's."""
    token = tx.scalar(select(SigningToken).where(SigningToken.name == name)) if NAME.fullmatch(name) else None
    if token is None or token.revoked_at is not None:
        raise InvalidKey("The token is not valid: unknown or revoked. Sign in again from the program.")
    user = tx.get(User, token.user_id) if token.user_id is not None else None
    if user is None:
        raise InvalidKey("Nobody has let this program in yet. Open the address it shows and confirm.")
    if user.locked or user.deleted_at is not None:
        raise InvalidKey("The token belongs to a locked account. Ask an administrator to unlock it.")
    return Signer(replace(principal_of_user(tx, user), token=token.id), token.public_key)


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return (SigningToken.user_id.is_(None), SigningToken.revoked_at.is_(None))
