"""The API tab: how a program calls this item, with the server's real address."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from pilothouse.base.access import OpenTo, Permission
from pilothouse.content.models import Content
from pilothouse.content.pages.visit import VisitOf
from pilothouse.db import Tx

router = APIRouter(prefix="/_/content/{guid}/api")
#: Where the frameworks that make one keep their OpenAPI document and the page that shows it.
OPENAPI = {"python-fastapi": ("openapi.json", "docs"), "api": ("openapi.json", "__docs__/")}


@dataclass(frozen=True)
class ApiTab:
    """``document`` and ``docs`` are addresses, empty where the kind makes none; ``limit`` is calls in a minute, 0 = none."""

    curl: str
    python: str
    r: str
    document: str
    docs: str
    is_open: bool
    limit: int


@router.get("")
def show(visit: VisitOf) -> Response:
    def shown(tx: Tx, content: Content) -> dict[str, ApiTab]:
        address, is_open = visit.address(tx, content), content.access_type == OpenTo.ALL
        document, docs = OPENAPI.get(content.app_mode, ("", ""))
        key = "" if is_open else ' -H "Authorization: Key $KEY"'
        sent = "" if is_open else ', headers={"Authorization": f"Key {KEY}"}'
        named = "" if is_open else ' |> httr2::req_headers(Authorization = paste("Key", KEY))'
        tab = ApiTab(
            curl=f"curl{key} {address}",
            python=f'httpx.get("{address}"{sent}).json()',
            r=f'httr2::request("{address}"){named} |> httr2::req_perform()',
            document=address + document if document else "",
            docs=address + docs if docs else "",
            is_open=is_open,
            limit=visit.worker_rules.terms(content).requests_per_minute,
        )
        return {"view": tab}

    return visit.show("content/api.html", shown, permission=Permission.CONTENT_VIEW)
