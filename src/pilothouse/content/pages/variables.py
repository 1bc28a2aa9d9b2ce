"""The variables tab: names, never values."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from pilothouse.asgi.rendering import server_url
from pilothouse.base.access import Permission
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages.views import VariablesTab, kind_shown
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx

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
        return {"view": VariablesTab(names, command, typed=typed if problem else "", wrong=problem)}

    return visit.show("content/variables.html", shown, permission=Permission.CONTENT_READ, **changes)


def deploy_command(visit: Visit, content: Content) -> str:
    """The line that deploys to this item from its folder."""
    verb = kind_shown(content.app_mode).verb or "fastapi"
    return f"rsconnect deploy {verb} -s {server_url(visit.request)} -k KEY --app-id {content.guid} ."
