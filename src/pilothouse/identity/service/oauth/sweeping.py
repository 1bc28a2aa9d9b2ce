"""What is long over goes: waiting programs, unused clients, authorizations that ended."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, exists, or_, select

from pilothouse.base import clock
from pilothouse.db import Database
from pilothouse.identity.models import ApiKey, Authorization, DeviceRequest, KeyUse, OAuthClient, SigningToken
from pilothouse.identity.service.oauth.clients import UNUSED, unused

#: An authorization that ended stays so long, for who asks what became of it. What it did stays in the trail.
KEPT = timedelta(days=30)


def sweep(database: Database) -> None:
    """Rows that nobody needs any more, in one transaction; called now and then."""
    now = clock.now()
    with database.write() as tx:
        quiet = {"synchronize_session": False}
        tx.execute(delete(DeviceRequest).where(DeviceRequest.expires_at <= now), execution_options=quiet)
        waiting = (SigningToken.user_id.is_(None), SigningToken.expires_at <= now)
        for token in tx.scalars(select(SigningToken).where(*waiting).limit(1000)):
            tx.delete(token)
        unredeemed = Authorization.refresh_until.is_(None) & (Authorization.created_at < now - UNUSED)
        ended = or_(Authorization.revoked_at < now - KEPT, Authorization.refresh_until < now - KEPT, unredeemed)
        unheld = ~exists().where(DeviceRequest.authorization_id == Authorization.id)
        for given in tx.scalars(select(Authorization).where(ended, unheld).limit(1000)):
            for key in tx.scalars(select(ApiKey).where(ApiKey.authorization_id == given.id)):
                tx.execute(
                    delete(KeyUse).where(KeyUse.kind == "key", KeyUse.ref == str(key.id)), execution_options=quiet
                )
                tx.delete(key)
            tx.flush()
            tx.delete(given)
        tx.flush()
        old = select(OAuthClient.id).where(unused(), OAuthClient.created_at < now - UNUSED)  # type: ignore[arg-type]
        tx.execute(delete(OAuthClient).where(OAuthClient.id.in_(old)), execution_options=quiet)
