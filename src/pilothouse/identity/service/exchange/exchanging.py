"""From another issuer's word to a key (connect-wire-api §1.5, “trusted publishing”)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import delete

from pilothouse.base import clock
from pilothouse.base.access import Role
from pilothouse.db import Database, Tx, insert_into
from pilothouse.identity.contract import OAuthRefused
from pilothouse.identity.models import UsedAssertion, User
from pilothouse.identity.service.exchange import assertions
from pilothouse.identity.service.exchange.keysets import KeySets
from pilothouse.identity.service.exchange.matching import rule_for
from pilothouse.identity.service.keys import create_passing_key
from pilothouse.identity.service.lines import is_line
from pilothouse.identity.service.users import find_user
from pilothouse.outbound import Outbound
from pilothouse.settings.options.trust import TrustedIssuer

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Workload:
    """What a program shows: the token, and the stage that it wants to sign in to (``address`` is the stage's own)."""

    token: str = field(repr=False)
    stage_id: int
    stage_key: str
    address: str


@dataclass(frozen=True)
class Exchanged:
    """A key that acts as the rule's user for a while; the only time it is seen."""

    key: str = field(repr=False)
    expires_in_s: int
    username: str


class Exchange:
    """Who is trusted, and the keys of those. Made once; safe to call from several threads."""

    def __init__(self, database: Database, rules: Sequence[TrustedIssuer], outbound: Outbound) -> None:
        self._database, self._rules, self._keysets = database, tuple(rules), KeySets(outbound)

    @property
    def is_open(self) -> bool:
        """Whether anybody is trusted at all."""
        return bool(self._rules)

    def exchange(self, workload: Workload) -> Exchanged:
        """A key for a token, once: it asks the issuer for its keys, and holds no transaction meanwhile.

        Raises `OAuthRefused` (``invalid_grant``) and `Unavailable`. Clients show little of why, so the server's log says it too.
        """
        try:
            return self._exchanged(workload)
        except OAuthRefused as error:
            log.info("the token of another issuer was refused", why=str(error), stage=workload.stage_key)
            raise

    def _exchanged(self, workload: Workload) -> Exchanged:
        token = assertions.read(workload.token)
        rules = [
            r for r in self._rules if r.issuer == token.issuer and (not r.stages or workload.stage_key in r.stages)
        ]
        if not rules:
            raise OAuthRefused(
                f"This server does not trust the token's issuer{_shown(token.issuer)} here.", error="invalid_grant"
            )
        audiences = {rule.audience or workload.address for rule in rules}
        keys = self._keysets.keys(rules[0], token.kid)
        claims = assertions.verified(token, keys, audiences=audiences)
        named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        rule = rule_for([r for r in rules if (r.audience or workload.address) in named], claims)
        with self._database.write() as tx:
            _use_once(tx, assertions.replay_key(token, claims), claims)
            user = _user(tx, rule)
            subject = claims.get("sub")
            made = create_passing_key(
                tx,
                user,
                name=f"{rule.key}{_shown(subject)}"[:255],
                role=Role(rule.role),
                stage_id=workload.stage_id,
                lifetime=rule.lifetime,
            )
            return Exchanged(made.plain, int(rule.lifetime.total_seconds()), user.username)


def _use_once(tx: Tx, digest: str, claims: dict[str, Any]) -> None:
    tx.execute(
        delete(UsedAssertion).where(UsedAssertion.until < clock.now()).execution_options(synchronize_session=False)
    )
    until = datetime.fromtimestamp(claims["exp"] + 2 * assertions.LEEWAY_S, UTC)
    insert = insert_into(tx, UsedAssertion).values(digest=digest, until=until).on_conflict_do_nothing()
    if tx.execute(insert.returning(UsedAssertion.digest)).scalar() is None:
        raise OAuthRefused("The token was used already. Ask your CI system for a new one.", error="invalid_grant")


def _user(tx: Tx, rule: TrustedIssuer) -> User:
    user = find_user(tx, rule.username)
    if user is None or user.locked:
        raise OAuthRefused(
            f"The token is genuine, but the user of the rule {rule.key} is not there or locked. Ask an administrator.",
            error="invalid_grant",
        )
    return user


def _shown(text: object) -> str:
    """What a stranger wrote, where it is short and one line."""
    return f" ({text})" if isinstance(text, str) and text and is_line(text, 200) else ""
