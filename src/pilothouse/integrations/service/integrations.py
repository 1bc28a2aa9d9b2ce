"""Verbs on integrations, and on which content may use them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select

from pilothouse.audit.service import record
from pilothouse.base import clock
from pilothouse.base.access import Permission, Principal, ResourceRef, require
from pilothouse.base.ids import is_guid, new_guid
from pilothouse.db import Tx, touch
from pilothouse.db.secrets import Place, Secrets
from pilothouse.integrations.contract import IntegrationInvalid, IntegrationNamed, IntegrationUnknown, Terms, checked
from pilothouse.integrations.models import Association, Integration
from pilothouse.outbound import check_address

NAME_LIMIT, DESCRIPTION_LIMIT = 255, 1024
ADDRESSES = ("authorization_uri", "token_uri")


def integrations(tx: Tx, actor: Principal) -> list[Integration]:
    """All of them, in the order they were made."""
    require(actor, Permission.INTEGRATION_LIST)
    return list(tx.scalars(select(Integration).order_by(Integration.id)))


def get_integration(tx: Tx, actor: Principal, guid: str) -> Integration:
    """Raises `IntegrationUnknown`."""
    require(actor, Permission.INTEGRATION_LIST)
    return integration_of(tx, guid)


def integration_of(tx: Tx, guid: str) -> Integration:
    """The same for verbs that ask for a permission of their own."""
    found = tx.scalar(select(Integration).where(Integration.guid == guid)) if is_guid(guid) else None
    if found is None:
        raise IntegrationUnknown(f"There is no integration {guid[:60]}.")
    return found


def create_integration(
    tx: Tx, actor: Principal, *, facts: Mapping[str, Any], config: Mapping[str, Any], secrets: Secrets
) -> Integration:
    """``facts`` are name, description and template. Raises `IntegrationInvalid`, `IntegrationNamed`."""
    require(actor, Permission.INTEGRATION_MANAGE)
    terms = _checked(str(facts.get("template") or ""), config)
    guid = new_guid()
    row = Integration(
        guid=guid,
        name=_name(tx, facts.get("name")),
        description=_description(facts.get("description")),
        template=terms.template,
        auth_type=terms.auth_type.value,
        config=dict(terms.public),
        sealed=_seal(secrets, guid, terms),
    )
    tx.add(row)
    tx.flush()
    after = {"name": row.name, "template": row.template, "auth_type": row.auth_type}
    record(tx, actor, "integrations:integration:created", ResourceRef("integration", row.id), after=after)
    return row


def update_integration(
    tx: Tx,
    actor: Principal,
    integration: Integration,
    *,
    facts: Mapping[str, Any],
    config: Mapping[str, Any] | None,
    secrets: Secrets,
) -> Integration:
    """Change what is given; words of ``config`` that are not named stay, null takes one away. Tokens given so far stay."""
    require(actor, Permission.INTEGRATION_MANAGE)
    before = {"name": integration.name, "auth_type": integration.auth_type}
    if facts.get("name") is not None:
        integration.name = _name(tx, facts["name"], besides=integration.id)
    if "description" in facts:
        integration.description = _description(facts["description"])
    after: dict[str, Any] = {}
    if config is not None:
        whole = {**integration.config, **secret_words(secrets, integration), **config}
        terms = _checked(integration.template, whole)
        integration.config, integration.auth_type = dict(terms.public), terms.auth_type.value
        integration.sealed, after = _seal(secrets, integration.guid, terms), {"config": True}
        for line in tx.scalars(select(Association).where(Association.integration_id == integration.id)):
            touch(tx, Association.topic, line.content_id)  # what it may do for visitors may be another now
    integration.updated_at = clock.now()
    tx.flush()
    after |= {"name": integration.name, "auth_type": integration.auth_type}
    subject = ResourceRef("integration", integration.id)
    record(tx, actor, "integrations:integration:updated", subject, before=before, after=after)
    return integration


def delete_integration(tx: Tx, actor: Principal, integration: Integration) -> None:
    """Content that used it can't any more; all tokens of it are forgotten."""
    require(actor, Permission.INTEGRATION_MANAGE)
    subject = ResourceRef("integration", integration.id)
    record(tx, actor, "integrations:integration:deleted", subject, before={"name": integration.name})
    for line in tx.scalars(select(Association).where(Association.integration_id == integration.id)):
        tx.delete(line)
    tx.flush()
    tx.delete(integration)


def terms_of(secrets: Secrets, integration: Integration) -> Terms:
    """With its secrets, for talking to the service only."""
    return checked(integration.template, {**integration.config, **secret_words(secrets, integration)})


def secret_words(secrets: Secrets, integration: Integration) -> dict[str, str]:
    return dict(json.loads(secrets.open(place_of(integration), integration.sealed)))


def place_of(row: Any) -> Place:
    """Where the secrets of an integration, or the tokens of a delegation, are sealed to."""
    return Place(row.__tablename__, row.guid, "sealed")


def associations_of(tx: Tx, content_ids: Sequence[int]) -> list[Association]:
    """What this content may use, in the order it was chosen. Whoever asks has looked after the permission."""
    chosen = select(Association).where(Association.content_id.in_(content_ids)).order_by(Association.id)
    return list(tx.scalars(chosen))


def users_of(tx: Tx, actor: Principal, integration: Integration) -> list[Association]:
    """Which content may use it."""
    require(actor, Permission.INTEGRATION_MANAGE)
    return list(
        tx.scalars(select(Association).where(Association.integration_id == integration.id).order_by(Association.id))
    )


def replace_associations(tx: Tx, content_id: int, chosen: Sequence[Integration]) -> bool:
    """Let the content use these and no others. Whether that is new. Whoever asks has looked after the permission."""
    have = [line.integration_id for line in associations_of(tx, [content_id])]
    wanted = [integration.id for integration in chosen]
    for line in associations_of(tx, [content_id]):
        if line.integration_id not in wanted:
            tx.delete(line)
    tx.flush()
    for number in wanted:
        if number not in have:
            tx.add(Association(content_id=content_id, integration_id=number))
            tx.flush()
    return set(have) != set(wanted)


def forget_content(tx: Tx, content_id: int) -> None:
    """It was deleted."""
    tx.execute(delete(Association).where(Association.content_id == content_id))


def _checked(template: str, config: Mapping[str, Any]) -> Terms:
    terms = checked(template, config)
    for name in ADDRESSES:
        if name in terms.public:
            check_address(terms.public[name])
    return terms


def _seal(secrets: Secrets, guid: str, terms: Terms) -> bytes:
    return secrets.seal(Place(Integration.__tablename__, guid, "sealed"), json.dumps(dict(terms.secret)))


def _name(tx: Tx, name: object, besides: int | None = None) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > NAME_LIMIT or not name.isprintable():
        raise IntegrationInvalid(f"An integration needs a name of at most {NAME_LIMIT} characters.")
    found = tx.scalar(select(Integration.id).where(func.lower(Integration.name) == name.strip().lower()))
    if found is not None and found != besides:
        raise IntegrationNamed
    return name.strip()


def _description(text: object) -> str:
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > DESCRIPTION_LIMIT or "\0" in text:
        raise IntegrationInvalid(f"The description must be text of at most {DESCRIPTION_LIMIT} characters.")
    return text
