"""Verbs on which integrations content may use."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from pilothouse.audit.service import record
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.content.contract import ContentInvalid
from pilothouse.content.models import Content
from pilothouse.content.service.sharing import resource_of
from pilothouse.content.service.workers import drain_all
from pilothouse.db import Tx, touch
from pilothouse.integrations import service as given
from pilothouse.integrations.contract import AuthType
from pilothouse.integrations.models import Association, Integration

MOST = 20


def content_integrations(tx: Tx, actor: Principal, content: Content) -> list[Association]:
    """Those that ``content`` may use, in the order in which they were chosen."""
    require(actor, Permission.CONTENT_READ, resource_of(tx, content))
    return given.associations_of(tx, [content.id])


def set_integrations(tx: Tx, actor: Principal, content: Content, *, guids: Sequence[str]) -> list[Association]:
    """Let ``content`` use these integrations and no others. Running workers are replaced by new ones.

    Raises `IntegrationUnknown`, `ContentInvalid`.
    """
    require(actor, Permission.CONTENT_SHARE, resource_of(tx, content))
    require(actor, Permission.INTEGRATION_LIST)
    if len(set(guids)) != len(guids) or len(guids) > MOST:
        raise ContentInvalid(f"Name each integration once, and at most {MOST}.")
    chosen = [given.integration_of(tx, guid) for guid in guids]
    before = [line.integration_id for line in given.associations_of(tx, [content.id])]
    if given.replace_associations(tx, content.id, chosen):
        touch(tx, "content", content.id)
        drain_all(tx, content)
        record(
            tx, actor, "content:association:changed", ResourceRef("content", content.id), stage_id=content.stage_id,
            before={"integrations": before}, after={"integrations": [one.id for one in chosen]},
        )  # fmt: skip
    return given.associations_of(tx, [content.id])


def acts_for_visitors(tx: Tx, content_id: int) -> bool:
    """Whether it may use an integration as its visitor."""
    return _has(tx, content_id, AuthType.VIEWER, AuthType.VISITOR_KEY)


def acts_for_itself(tx: Tx, content_id: int) -> bool:
    """Whether it may use one as an account of its own."""
    return _has(tx, content_id, AuthType.SERVICE_ACCOUNT)


def _has(tx: Tx, content_id: int, *kinds: AuthType) -> bool:
    chosen = select(Association.id).join(Integration).where(Association.content_id == content_id)
    return tx.scalar(chosen.where(Integration.auth_type.in_([kind.value for kind in kinds])).limit(1)) is not None
