"""Verbs on delegations: the sign-in at the other service, its tokens and their renewal, listing and ending."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, Resource, ResourceRef, require
from pilothouse.base.errors import PilothouseError
from pilothouse.base.ids import is_guid, new_guid
from pilothouse.db import Database, Tx
from pilothouse.db.secrets import Place, Secrets
from pilothouse.integrations.contract import DelegationUnknown, ProviderBusy, SignInNeeded, Terms
from pilothouse.integrations.models import Delegation, Integration
from pilothouse.integrations.service.integrations import place_of, terms_of
from pilothouse.integrations.service.provider import Tokens, renewed
from pilothouse.outbound import Outbound

#: A token that ends sooner is renewed first, so that whoever gets it can still use it.
SPARE = timedelta(seconds=60)
#: Longer than a call may take. Whoever finds a renewal under way waits for it.
RENEWAL = timedelta(seconds=30)
POLL_S, PATIENCE_S = 0.1, 12.0


@dataclass(frozen=True)
class Tools:
    """What talking to other services needs."""

    database: Database
    secrets: Secrets = field(repr=False)
    outbound: Outbound


def resource_of_delegation(delegation: Delegation) -> Resource:
    """For ``require``: it is the person's own."""
    return Resource(ResourceRef("delegation", delegation.id), owner_id=delegation.user_id)


def delegations(tx: Tx, actor: Principal, *, everybody: bool = False) -> list[Delegation]:
    """One's own, or everybody's, in the order they were begun."""
    if everybody:
        require(actor, Permission.DELEGATION_LIST)
        return list(tx.scalars(select(Delegation).order_by(Delegation.id)))
    require(actor, Permission.DELEGATION_END, Resource(owner_id=actor.id))
    return list(tx.scalars(select(Delegation).where(Delegation.user_id == actor.id).order_by(Delegation.id)))


def get_delegation(tx: Tx, actor: Principal, guid: str) -> Delegation:
    """Raises `DelegationUnknown`, also for those of others that ``actor`` may not end."""
    found: Delegation | None = None
    if is_guid(guid):
        found = tx.scalar(select(Delegation).where(Delegation.guid == guid))
    if found is None:
        raise DelegationUnknown(f"There is no session {guid[:60]} at an integration.")
    require(actor, Permission.DELEGATION_END, resource_of_delegation(found))
    return found


def end_delegation(tx: Tx, actor: Principal, delegation: Delegation) -> None:
    """Forget its tokens. The other service is not told: there, people take back their consent themselves."""
    require(actor, Permission.DELEGATION_END, resource_of_delegation(delegation))
    before = {"user_id": delegation.user_id, "integration_id": delegation.integration_id}
    record(tx, actor, "integrations:delegation:ended", ResourceRef("delegation", delegation.id), before=before)
    tx.delete(delegation)


def begin_delegation(
    tx: Tx, actor: Principal, integration: Integration, *, tokens: Tokens, secrets: Secrets
) -> Delegation:
    """``actor`` let us act as them; what they gave before is replaced."""
    require(actor, Permission.DELEGATION_BEGIN)
    found = tx.scalar(_of(actor.id, integration).with_for_update())
    if found is None:
        found = Delegation(guid=new_guid(), user_id=actor.id, integration_id=integration.id)
        tx.add(found)
    _keep(found, tokens, secrets)
    tx.flush()
    after = {"user_id": actor.id, "integration_id": integration.id}
    record(tx, actor, "integrations:delegation:started", ResourceRef("delegation", found.id), after=after)
    return found


def tokens_of_person(tools: Tools, user_id: int, integration: Integration) -> Tokens:
    """Tokens with which to act as a person, renewed first where they have ended. Opens its own transactions.

    Whoever asks has looked after the permission. Raises `SignInNeeded`, `ProviderRefused`, `ProviderBusy`, `Unreachable`.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = _look(tools, user_id, integration)
        if isinstance(found, Tokens):
            return found
        if found is not None:
            return _renew(tools, found, integration)
        if time.monotonic() > deadline:
            raise ProviderBusy
        time.sleep(POLL_S)


@dataclass(frozen=True)
class _Turn:
    """It is ours to renew this delegation."""

    delegation_id: int
    refresh: str = field(repr=False)
    terms: Terms


def _look(tools: Tools, user_id: int, integration: Integration) -> Tokens | _Turn | None:
    """Fresh tokens; or our turn to renew them; or nothing while somebody else does."""
    with tools.database.read() as tx:
        row = tx.scalar(_of(user_id, integration))
        if row is not None and not _is_over(row):
            return _tokens(row, tools.secrets)
    with tools.database.write() as tx:
        row = tx.scalar(_of(user_id, integration).with_for_update())
        if row is None:
            raise _sign_in(integration)
        tokens = _tokens(row, tools.secrets)
        if not _is_over(row):
            return tokens
        if tokens.refresh is None:
            raise _sign_in(integration)
        if row.renewing_until is not None and row.renewing_until > clock.now():
            return None
        row.renewing_until = clock.now() + RENEWAL
        return _Turn(row.id, tokens.refresh, terms_of(tools.secrets, integration))


def _renew(tools: Tools, turn: _Turn, integration: Integration) -> Tokens:
    try:
        tokens = renewed(tools.outbound, turn.terms, turn.refresh)
    except PilothouseError as error:
        with tools.database.write() as tx:
            row = tx.get(Delegation, turn.delegation_id, with_for_update=True)
            if row is not None and isinstance(error, SignInNeeded):
                tx.delete(row)
            elif row is not None:
                row.renewing_until = None
        if isinstance(error, SignInNeeded):
            raise _sign_in(integration) from None
        raise
    with tools.database.write() as tx:
        row = tx.get(Delegation, turn.delegation_id, with_for_update=True)
        if row is None:
            raise _sign_in(integration)  # it was ended meanwhile
        _keep(row, tokens, tools.secrets)
    return tokens


def personal_delegations(tx: Tx, user_id: int) -> list[Delegation]:
    """What somebody let us do elsewhere. Whoever asks has looked after the permission."""
    return list(tx.scalars(select(Delegation).where(Delegation.user_id == user_id).order_by(Delegation.id)))


def leave_delegations(tx: Tx, user_id: int) -> None:
    """Before somebody is erased."""
    tx.execute(delete(Delegation).where(Delegation.user_id == user_id))


def _sign_in(integration: Integration) -> SignInNeeded:
    return SignInNeeded(integration=integration.guid)


def _of(user_id: int | None, integration: Integration) -> Select[Delegation]:
    return select(Delegation).where(Delegation.user_id == user_id, Delegation.integration_id == integration.id)


def _is_over(row: Delegation) -> bool:
    return row.expires_at is not None and row.expires_at <= clock.now() + SPARE


def _keep(row: Delegation, tokens: Tokens, secrets: Secrets) -> None:
    words = {"access": tokens.access, "kind": tokens.kind, "refresh": tokens.refresh}
    row.sealed = secrets.seal(Place(Delegation.__tablename__, row.guid, "sealed"), json.dumps(words))
    row.has_refresh_token, row.expires_at, row.renewing_until = tokens.refresh is not None, tokens.expires_at, None
    row.updated_at = clock.now()


def _tokens(row: Delegation, secrets: Secrets) -> Tokens:
    words = json.loads(secrets.open(place_of(row), row.sealed))
    return Tokens(words["access"], words["kind"], words["refresh"], row.expires_at)


def seconds_left(expires_at: datetime | None) -> int | None:
    return None if expires_at is None else max(0, int((expires_at - clock.now()).total_seconds()))
