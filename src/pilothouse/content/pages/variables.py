"""The variables tab: names, never values; and at which other services the item may act."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from pilothouse.asgi.rendering import server_url
from pilothouse.base.access import Permission, may
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages.views import ServiceChoice, VariablesTab, kind_shown
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx
from pilothouse.integrations import service as integrations
from pilothouse.integrations.contract import ACTS_AS, AuthType

router = APIRouter(prefix="/_/content/{guid}/variables")


@router.get("")
def show(visit: VisitOf) -> Response:
    return _show(visit)


@router.post("")
def save(visit: VisitOf, name: Annotated[str, Form()] = "", value: Annotated[str, Form()] = "") -> Response:
    return _set(visit, name.strip(), value, f"Saved {name.strip()}. Running workers start anew.")


@router.post("/remove")
def remove(visit: VisitOf, name: Annotated[str, Form()] = "") -> Response:
    return _set(visit, name, None, f"Removed {name}. Running workers start anew.")


@router.post("/services")
def choose(visit: VisitOf, integration: Annotated[tuple[str, ...], Form()] = ()) -> Response:
    def change(tx: Tx, content: Content) -> str:
        service.set_integrations(tx, visit.caller, content, guids=integration)
        return "Saved. Running workers start anew."

    return visit.change(change, _show)


def _set(visit: Visit, name: str, value: str | None, done: str) -> Response:
    def change(tx: Tx, content: Content) -> str:
        secrets = visit.request.app.state.secrets
        service.set_variables(tx, visit.caller, content, values={name: value}, secrets=secrets)
        return done

    return visit.change(change, partial(_show, typed=name))


def _show(visit: Visit, *, typed: str = "", problem: str = "", **changes: Any) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        names = service.variable_names(tx, visit.caller, content)
        command = deploy_command(visit, content) + " -E NAME=VALUE"
        wrong = problem if typed else ""
        return {"view": VariablesTab(names, command, _services(visit, tx, content), typed if problem else "", wrong)}

    return visit.show("content/variables.html", shown, permission=Permission.CONTENT_READ, **changes)


def _services(visit: Visit, tx: Tx, content: Content) -> list[ServiceChoice]:
    """All there are, those that the item uses first and in their order; nothing for who may not choose."""
    if not may(visit.caller, Permission.INTEGRATION_LIST):
        return []
    chosen = [line.integration_id for line in service.content_integrations(tx, visit.caller, content)]
    rows = {one.id: one for one in integrations.integrations(tx, visit.caller)}
    others = sorted(rows.keys() - chosen, key=lambda number: rows[number].name.casefold())
    return [
        ServiceChoice(one.guid, one.name, one.description, ACTS_AS[AuthType(one.auth_type)], one.id in chosen)
        for one in (rows[number] for number in [*chosen, *others])
    ]


def deploy_command(visit: Visit, content: Content) -> str:
    """The line that deploys to this item from its folder."""
    verb = kind_shown(content.app_mode).verb or "fastapi"
    return f"rsconnect deploy {verb} -s {server_url(visit.request)} -k KEY --app-id {content.guid} ."
