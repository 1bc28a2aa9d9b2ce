"""OAuth integrations, which content uses them, and people's sessions at them (connect-wire-api §2.2, §2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select

from pilothouse.asgi.context import SignedIn
from pilothouse.base.access import Permission, require
from pilothouse.base.errors import Invalid, NotFound
from pilothouse.base.ids import is_guid
from pilothouse.connect_api import shapes
from pilothouse.connect_api.body import Guid, JsonArray, JsonObject
from pilothouse.connect_api.context import StageOf, WireOf
from pilothouse.connect_api.errors import BodyUnreadable, MalformedId
from pilothouse.content import service as content
from pilothouse.content.models import Content
from pilothouse.db import Tx
from pilothouse.identity.models import User
from pilothouse.integrations import service
from pilothouse.integrations.contract import TEMPLATES
from pilothouse.integrations.models import Delegation, Integration

router = APIRouter(prefix="/v1")


class TemplateUnknown(NotFound):
    """There is no such template here. Use “custom” with the addresses of the other service, or “connect” for this one."""

    code = "connect-api/template-unknown"


class AssociationsInvalid(Invalid):
    """Send an array of objects with “oauth_integration_guid”; an empty one takes all away."""

    code = "connect-api/associations-invalid"


class PermissionsUnsupported(Invalid):
    """Integrations can't be kept for some publishers here: every publisher may use them. Leave “permissions” out."""

    code = "connect-api/permissions-unsupported"


@router.get("/oauth/templates")
def templates(caller: SignedIn) -> list[dict[str, Any]]:
    require(caller, Permission.INTEGRATION_LIST)
    return [shapes.template(made) for made in TEMPLATES.values()]


@router.get("/oauth/templates/{key}")
def template(key: str, caller: SignedIn) -> dict[str, Any]:
    require(caller, Permission.INTEGRATION_LIST)
    if key not in TEMPLATES:
        raise TemplateUnknown
    return shapes.template(TEMPLATES[key])


@router.get("/oauth/integrations")
def list_integrations(caller: SignedIn, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        return [shapes.integration(row) for row in service.integrations(tx, caller)]


@router.post("/oauth/integrations")
def create_integration(body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    facts, config = _facts(body), _config(body)
    with wire.database.write() as tx:
        row = service.create_integration(tx, caller, facts=facts, config=config or {}, secrets=wire.secrets)
        return shapes.integration(row)


@router.get("/oauth/integrations/{guid}")
def get_integration(guid: Guid, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return shapes.integration(service.get_integration(tx, caller, guid))


@router.patch("/oauth/integrations/{guid}")
def update_integration(guid: Guid, body: JsonObject, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    facts, config = _facts(body), _config(body)
    with wire.database.write() as tx:
        row = service.get_integration(tx, caller, guid)
        service.update_integration(tx, caller, row, facts=facts, config=config, secrets=wire.secrets)
        return shapes.integration(row)


@router.delete("/oauth/integrations/{guid}")
def delete_integration(guid: Guid, caller: SignedIn, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        service.delete_integration(tx, caller, service.get_integration(tx, caller, guid))
    return Response(status_code=204)


@router.get("/oauth/integrations/{guid}/associations")
def associations_of_integration(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    """Content of this stage that uses it."""
    with wire.database.read() as tx:
        lines = service.users_of(tx, caller, service.get_integration(tx, caller, guid))
        alive = select(Content.id, Content.guid).where(Content.deleted_at.is_(None), Content.stage_id == stage.id)
        guids = dict(tx.execute(alive.where(Content.id.in_([line.content_id for line in lines]))).all())
        return [
            shapes.association(line, content_guid=guids[line.content_id]) for line in lines if line.content_id in guids
        ]


@router.get("/content/{guid}/oauth/integrations/associations")
def associations(guid: Guid, caller: SignedIn, stage: StageOf, wire: WireOf) -> list[dict[str, Any]]:
    with wire.database.read() as tx:
        lines = content.content_integrations(tx, caller, content.get_content(tx, caller, stage, guid))
        return [shapes.association(line, content_guid=guid) for line in lines]


@router.put("/content/{guid}/oauth/integrations/associations")
def replace_associations(
    guid: Guid, body: JsonArray, caller: SignedIn, stage: StageOf, wire: WireOf
) -> list[dict[str, Any]]:
    guids = _named(body)
    with wire.database.write() as tx:
        row = content.get_content(tx, caller, stage, guid)
        lines = content.set_integrations(tx, caller, row, guids=guids)
        return [shapes.association(line, content_guid=guid) for line in lines]


@router.get("/oauth/sessions")
def sessions(caller: SignedIn, wire: WireOf, all: bool = False) -> list[dict[str, Any]]:
    """One's own; with ``all`` everybody's, for administrators."""
    with wire.database.read() as tx:
        return _shown(tx, service.delegations(tx, caller, everybody=all))


@router.get("/oauth/sessions/{guid}")
def get_session(guid: Guid, caller: SignedIn, wire: WireOf) -> dict[str, Any]:
    with wire.database.read() as tx:
        return _shown(tx, [service.get_delegation(tx, caller, guid)])[0]


@router.delete("/oauth/sessions/{guid}")
def end_session(guid: Guid, caller: SignedIn, wire: WireOf) -> Response:
    with wire.database.write() as tx:
        service.end_delegation(tx, caller, service.get_delegation(tx, caller, guid))
    return Response(status_code=204)


def _shown(tx: Tx, rows: Sequence[Delegation]) -> list[dict[str, Any]]:
    wanted = [row.user_id for row in rows]
    users = dict(tx.execute(select(User.id, User.guid).where(User.id.in_(wanted))).all())
    integrations = dict(tx.execute(select(Integration.id, Integration.guid)).all())
    return [
        shapes.oauth_session(row, user_guid=users[row.user_id], integration_guid=integrations[row.integration_id])
        for row in rows
    ]


def _facts(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("permissions"):
        raise PermissionsUnsupported
    facts: dict[str, Any] = {name: body[name] for name in ("name", "description", "template") if name in body}
    for name, value in facts.items():
        if value is not None and not isinstance(value, str):
            raise BodyUnreadable(f"“{name}” must be text.")
    return facts


def _config(body: dict[str, Any]) -> dict[str, Any] | None:
    config = body.get("config")
    if config is not None and not isinstance(config, dict):
        raise BodyUnreadable("“config” must be an object.")
    return config


def _named(body: list[Any]) -> list[str]:
    guids = []
    for entry in body:
        guid = entry.get("oauth_integration_guid") if isinstance(entry, dict) else None
        if not isinstance(guid, str):
            raise AssociationsInvalid
        if not is_guid(guid):
            raise MalformedId(f"“{guid[:80]}” is not a GUID.")
        guids.append(guid)
    return guids
