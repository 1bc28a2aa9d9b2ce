"""``/__docs__/api``: the publishing protocol for people, and as an OpenAPI document for programs.

The page is made from the document, so both say the same; how it reads is in ``api_words``.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from pilothouse.asgi.context import SignedIn
from pilothouse.asgi.rendering import frame, page, server_url
from pilothouse.web.api_words import chapters, nouns
from pilothouse.web.views import ApiView

router = APIRouter()


@router.get("/__docs__/api/openapi.json")
def openapi(request: Request) -> Response:
    """Open to everybody: it holds what any client may know."""
    return JSONResponse(_document(request), headers={"Cache-Control": "no-cache"})


@router.get("/__docs__/api/")
def with_slash(request: Request) -> Response:
    return RedirectResponse(f"{frame(request).base}/__docs__/api", 307)


@router.get("/__docs__/api")
def docs(request: Request, caller: SignedIn) -> Response:
    document, server = _document(request), server_url(request)
    view = ApiView(server, document["info"]["version"], chapters(document), nouns(document))
    return page(request, "web/api_docs.html", view=view)


def _document(request: Request) -> dict[str, Any]:
    """The app hands in ``app.state.protocol_document``."""
    found: dict[str, Any] = request.app.state.protocol_document(server_url(request))
    return found
