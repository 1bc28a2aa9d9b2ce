"""Programs without a browser: a person types a code that the program shows, sees what asks, and says yes or no (RFC 8628).

There is no link that fills the code in: what one types, one has in front of oneself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import delete, func, select

from pilothouse.base import clock
from pilothouse.base.access import Principal
from pilothouse.base.ids import new_key, new_token
from pilothouse.db import Database, Tx
from pilothouse.identity.contract import DeviceCodeUnknown, OAuthRefused, Rules, TooManyWaiting
from pilothouse.identity.models import Authorization, DeviceRequest
from pilothouse.identity.service.attempts import network_of
from pilothouse.identity.service.oauth.authorizations import digest, give, may_give
from pilothouse.identity.service.oauth.clients import get_client
from pilothouse.identity.service.oauth.grants import Issued, issue

LIFETIME = timedelta(minutes=10)
INTERVAL_S = 5
#: A poll that is early by less than this came in time: networks are not clocks.
SLACK = timedelta(seconds=1)
WAITING_OF_NETWORK, WAITING = 100, 1000


@dataclass(frozen=True)
class DeviceBegun:
    """What the program gets: a code for itself and one to show."""

    device_code: str = field(repr=False)
    user_code: str
    expires_in_s: int
    interval_s: int = INTERVAL_S


def begin_device(tx: Tx, *, client_key: str, stage_id: int, address: str) -> DeviceBegun:
    """A program begins to wait. Raises `OAuthRefused` (``invalid_client``) and `TooManyWaiting`."""
    client, now, network = get_client(tx, client_key), clock.now(), network_of(address)
    over = delete(DeviceRequest).where(DeviceRequest.expires_at <= now - LIFETIME)
    tx.execute(over.execution_options(synchronize_session=False))
    waiting = select(func.count()).select_from(DeviceRequest).where(DeviceRequest.expires_at > now)
    if (tx.scalar(waiting.where(DeviceRequest.network == network)) or 0) >= WAITING_OF_NETWORK:
        raise TooManyWaiting("Too many programs of your network wait for a code to be typed. Try again in ten minutes.")
    if (tx.scalar(waiting) or 0) >= WAITING:
        raise TooManyWaiting("Too many programs wait for a code to be typed. Try again in ten minutes.")
    code, shown = new_token(32), new_key(8)
    tx.add(
        DeviceRequest(
            device_digest=digest(code), user_code=shown, client_id=client.id, stage_id=stage_id, network=network,
            expires_at=now + LIFETIME, interval_s=INTERVAL_S,
        )
    )  # fmt: skip
    return DeviceBegun(code, f"{shown[:4]}-{shown[4:]}".upper(), int(LIFETIME.total_seconds()))


def find_device(tx: Tx, typed: str, *, stage_id: int) -> DeviceRequest:
    """What waits with this code, as people type it. Raises `DeviceCodeUnknown`."""
    code = "".join(c for c in typed.lower() if c.isascii() and c.isalnum())
    found = tx.scalar(select(DeviceRequest).where(DeviceRequest.user_code == code)) if len(code) == 8 else None
    if found is None or found.stage_id != stage_id or found.expires_at <= clock.now() or _is_answered(found):
        raise DeviceCodeUnknown
    return found


def allow_device(tx: Tx, actor: Principal, waiting: DeviceRequest) -> None:
    """The program may act as ``actor``. Raises `ClaimedInBrowser` for anything but a browser's login."""
    user = may_give(tx, actor)
    tx.refresh(waiting, with_for_update=True)
    if _is_answered(waiting):
        raise DeviceCodeUnknown
    waiting.authorization_id = give(tx, actor, waiting.client, user=user, stage_id=waiting.stage_id).id


def deny_device(tx: Tx, actor: Principal, waiting: DeviceRequest) -> None:
    """The program is told no. Raises what `allow_device` raises."""
    may_give(tx, actor)
    if not _is_answered(waiting):
        waiting.denied_at = clock.now()


def redeem_device(database: Database, *, client_key: str, code: str, rules: Rules = Rules()) -> Issued:
    """Tokens, once a person allowed it; then the code is gone.

    Raises `OAuthRefused`: ``authorization_pending``, ``slow_down`` (the interval grows by five seconds), ``access_denied``,
    ``expired_token``, ``invalid_grant`` for a code that is not this client's, ``invalid_client``.
    """
    with database.write() as tx:
        client = get_client(tx, client_key)
        chosen = select(DeviceRequest).where(DeviceRequest.device_digest == digest(code))
        waiting = tx.scalar(chosen.with_for_update(of=DeviceRequest))
        if waiting is None or waiting.client_id != client.id:
            answer = "invalid_grant"
        elif waiting.expires_at <= clock.now():
            answer = "expired_token"
        elif waiting.denied_at is not None:
            answer = "access_denied"
        elif waiting.authorization_id is None:
            answer = _pace(waiting)
        else:
            given = tx.get_one(Authorization, waiting.authorization_id)
            tx.delete(waiting)
            if given.revoked_at is None and not given.user.locked and given.user.deleted_at is None:
                return issue(tx, given, rules)
            answer = "access_denied"
    raise OAuthRefused(SENTENCES[answer], error=answer)


SENTENCES = {
    "invalid_grant": "The device code is not valid: unknown, used already, or another program's.",
    "expired_token": "Nobody typed the code in time. Start again.",
    "access_denied": "The person said no.",
    "authorization_pending": "Nobody typed the code yet.",
    "slow_down": "You ask too often. Wait five seconds longer between two questions.",
}


def _pace(waiting: DeviceRequest) -> str:
    now, before = clock.now(), waiting.polled_at
    waiting.polled_at = now
    if before is not None and now - before < timedelta(seconds=waiting.interval_s) - SLACK:
        waiting.interval_s = min(waiting.interval_s + 5, 60)
        return "slow_down"
    return "authorization_pending"


def _is_answered(waiting: DeviceRequest) -> bool:
    return waiting.denied_at is not None or waiting.authorization_id is not None
