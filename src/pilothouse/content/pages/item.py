"""The content itself, its settings and its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from pilothouse.asgi.rendering import to
from pilothouse.base.access import Permission
from pilothouse.content import service
from pilothouse.content.models import Content
from pilothouse.content.pages.views import SettingsTab
from pilothouse.content.pages.visit import Visit, VisitOf
from pilothouse.db import Tx

router = APIRouter(prefix="/_/content/{guid}")


@router.get("")
def show(visit: VisitOf) -> Response:
    return visit.show("content/open.html", lambda tx, content: {}, permission=Permission.CONTENT_VIEW)


@router.get("/settings")
def show_settings(visit: VisitOf) -> Response:
    return _settings(visit)


@router.post("/settings")
def change_settings(
    visit: VisitOf, title: Annotated[str, Form()] = "", description: Annotated[str, Form()] = ""
) -> Response:
    def change(tx: Tx, content: Content) -> str:
        changes = {"title": title.strip() or None, "description": description.strip()}
        service.update_content(tx, visit.caller, content, changes=changes)
        return "Saved."

    return visit.change(change, partial(_settings, typed={"title": title, "description": description}))


@router.post("/delete")
def delete(visit: VisitOf, confirmation: Annotated[str, Form()] = "") -> Response:
    """Remove the item for good; its name must be typed first."""
    with visit.db.write() as tx:
        content = visit.content(tx, Permission.CONTENT_DELETE)
        is_meant = confirmation.strip() == content.name
        if is_meant:
            service.delete_content(tx, visit.caller, content)
        name = content.name
    if not is_meant:
        return _settings(visit, status=422, wrong={"confirmation": f"Type {name} exactly, or leave it alone."})
    return to(visit.request, "/_/content")


def _settings(
    visit: Visit, *, typed: Mapping[str, str] | None = None, wrong: Mapping[str, str] | None = None, **changes: Any
) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, Any]:
        now = {"title": content.title or "", "description": content.description}
        filled = defaultdict(str, now | dict(typed or {}))
        return {"view": SettingsTab(filled, content.name, defaultdict(str, wrong or {}))}

    return visit.show("content/settings.html", shown, permission=Permission.CONTENT_UPDATE, **changes)
