"""``/connect/``: the addresses that publishing clients print, such as ``/connect/#/apps/{guid}/access``.

The part after ``#`` never reaches a server: a small script maps it to our page.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from pilothouse.asgi.rendering import frame, page

router = APIRouter()


@router.get("/connect")
def without_slash(request: Request) -> Response:
    return RedirectResponse(f"{frame(request).base}/connect/", 307)


@router.get("/connect/")
def fragments(request: Request) -> Response:
    return page(request, "web/connect.html")
