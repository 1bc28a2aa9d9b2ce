"""``/__docs__/api``: the publishing protocol for people, and as an OpenAPI document for programs.

The page is made from the document, so both say the same; the chapters are those of the protocol's list of rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from pilothouse.asgi.context import SignedIn
from pilothouse.asgi.rendering import frame, page, server_url
from pilothouse.connect_api.rows import CHAPTERS, Row, shape
from pilothouse.web.views import ApiView, Endpoint

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
    chapters = [(name, list(_endpoints(rows, document["paths"], server))) for name, rows in CHAPTERS.items()]
    nouns = [(name, _text(schema)) for name, schema in sorted(document["components"]["schemas"].items())]
    view = ApiView(server, [(name, found) for name, found in chapters if found], nouns)
    return page(request, "web/api_docs.html", view=view)


def _document(request: Request) -> dict[str, Any]:
    """The app hands in ``app.state.protocol_document``."""
    found: dict[str, Any] = request.app.state.protocol_document(server_url(request))
    return found


def _endpoints(rows: tuple[Row, ...], paths: Mapping[str, Any], server: str) -> Iterator[Endpoint]:
    """Those rows that are served, in the protocol's order."""
    by_shape = {(method, shape(path)): (path, found) for path, item in paths.items() for method, found in item.items()}
    for row in rows:
        path, operation = by_shape.get((row.method.lower(), shape(row.path)), ("", None))
        if operation is None or row.at_root or row.refused:
            continue
        status, answer = next((s, a) for s, a in operation["responses"].items() if s.startswith("2"))
        body = operation.get("requestBody", {})
        yield Endpoint(
            row.method,
            path,
            operation.get("description", "").replace("``", ""),
            [_parameter(p) for p in operation.get("parameters", [])],
            _content(body),
            _content(answer),
            status,
            _command(row.method, f"{server}/__api__{path}", has_body=bool(body)),
        )


def _parameter(found: Mapping[str, Any]) -> tuple[str, str, str]:
    schema = found["schema"]
    kinds = [s.get("type", "") for s in schema.get("anyOf", [schema])]
    return found["name"], found["in"], " or ".join(kind for kind in kinds if kind and kind != "null")


def _content(part: Mapping[str, Any]) -> str:
    for kind, found in part.get("content", {}).items():
        return _text(found["schema"]) if kind == "application/json" else kind
    return ""


def _text(schema: Mapping[str, Any], depth: int = 0) -> str:
    """A schema as an engineer would write it on a board."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_text(one, depth) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(word) for word in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_text(schema['items'], depth)}, …]"
    if schema.get("type") == "object" and "properties" in schema:
        needed, inner = schema.get("required", []), "  " * (depth + 1)
        lines = [
            f"{inner}{name}{'' if name in needed else '?'}: {_text(found, depth + 1)}"
            for name, found in schema["properties"].items()
        ]
        return "{\n" + "\n".join(lines) + "\n" + "  " * depth + "}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _command(method: str, url: str, *, has_body: bool) -> str:
    return f'curl {f"-X {method} " if method != "GET" else ""}-H "Authorization: Key $KEY" "{url}"' + (
        " -d '{…}'" if has_body else ""
    )
