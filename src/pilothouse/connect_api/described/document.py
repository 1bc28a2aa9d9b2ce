"""From the routes that are there and what is said of them to the document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pilothouse.connect_api.described.answers import ANSWERS, BODIES, EMPTY, FILES, UPLOADS
from pilothouse.connect_api.described.schemas import NOUNS, Schema, noun
from pilothouse.connect_api.rows import shape

WORDS = (
    "The publishing protocol of this server. Send an API key as `Authorization: Key …`. Bodies are JSON whatever their content "
    "type says; every error is an object with `code`, `error` and `payload`."
)
KEY = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "The word Key, a space, and an API key.",
}
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def document(app: FastAPI, *, server: str, version: str) -> dict[str, Any]:
    """The protocol as ``app`` serves it below ``server``, with the ``version`` that clients see."""
    made = get_openapi(
        title="Publishing protocol", version=version, openapi_version="3.1.0", description=WORDS, routes=app.routes
    )
    for path, item in made.get("paths", {}).items():
        for method in METHODS & set(item):
            _describe(item[method], f"{method.upper()} {shape(path)}")
    made["servers"] = [{"url": f"{server}/__api__"}]
    made["components"] = {"schemas": NOUNS, "securitySchemes": {"key": KEY}}
    made["security"] = [{"key": []}, {}]
    return made


def _describe(operation: dict[str, Any], row: str) -> None:
    answer, kind = ANSWERS.get(row), FILES.get(row, "application/json")
    status = "204" if answer == EMPTY else next(code for code in operation["responses"] if code.startswith("2"))
    good: dict[str, Any] = {"description": "Done"}
    if answer is None:
        status = "2XX"  # served, and not described yet
    elif answer != EMPTY:
        good["content"] = {kind: {"schema": answer}}
    failed = {"description": "Refused, and why", "content": {"application/json": {"schema": noun("Error")}}}
    operation["responses"] = {status: good, "4XX": failed, "503": failed}
    if row in BODIES:
        operation["requestBody"] = _body("application/json", BODIES[row])
    elif row in UPLOADS:
        operation["requestBody"] = _body("application/octet-stream", {"type": "string", "format": "binary"})


def _body(kind: str, schema: Schema) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema}}}
