"""The protocol as an OpenAPI 3.1 document: the routes say which parameters there are, the rows what is taken and given.

Doors read bodies as clients send them, whatever the content type says, so FastAPI can't derive this. A row that is served and
not described is found by a test; fuzzing checks that what is described is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from pilothouse.asgi.context import principal, signed_in
from pilothouse.connect_api.nouns import NOUNS
from pilothouse.connect_api.nouns.signing_in import ERROR, OAUTH_ERROR
from pilothouse.connect_api.nouns.words import TEXT, Schema
from pilothouse.connect_api.rows import CHAPTERS, Media, Row, all_rows, shape
from pilothouse.connect_api.rows.parameters import PLACES, QUESTIONS

#: Schemes that go together.
Needs = dict[str, list[str]]
WORDS = (
    "The publishing protocol of this server. Send an API key as `Authorization: Key …`. Bodies are JSON whatever their content "
    "type says, and keys that nobody asked for change nothing; every error is an object with `code`, `error` and `payload`."
)


def _header(name: str, words: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": name, "description": words}


SCHEMES: dict[str, Schema] = {
    "key": _header("Authorization", "The word Key, a space, and an API key."),
    "key_behind_a_proxy": _header("X-RSC-Authorization", "The same where Authorization belongs to a proxy; with or without Key."),
    "bearer": {"type": "http", "scheme": "bearer", "description": "The access token of a program that a person let in."},
    "token": _header("X-Auth-Token", "The name of a key that signs requests; POST /tokens announces it."),
    "signature": _header("X-Auth-Signature", "RSA (PKCS #1 1.5, SHA-1) over method, path, Date and X-Content-Checksum, in base64."),
    "checksum": _header("X-Content-Checksum", "The MD5 of the body, in base64."),
    "bootstrap": _header("Authorization", "Connect-Bootstrap, a space, and a token signed with the bootstrap secret."),
}  # fmt: skip
SIGNED_IN: list[Needs] = [
    {"key": []},
    {"key_behind_a_proxy": []},
    {"bearer": []},
    {"token": [], "signature": [], "checksum": []},
]
BOOTSTRAP = "POST /v1/experimental/bootstrap"


def document(app: FastAPI, *, server: str, version: str) -> dict[str, Any]:
    """The protocol as ``app`` serves it below ``server``, with the ``version`` that clients see."""
    known, security = _operations(app), _security(app)
    paths: dict[str, Any] = {}
    for row in all_rows():
        path, made = (row.path, _at_root(row)) if row.at_root else known.get(row.key, ("", None))
        if row.refused or made is None:
            continue
        item = paths.setdefault(path, {"servers": [{"url": server}]} if row.at_root else {})
        item[row.method.lower()] = _described(row, made, security.get(row.key, _at_the_door(row)))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Publishing protocol", "version": version, "description": WORDS},
        "servers": [{"url": f"{server}/__api__"}],
        "tags": [{"name": chapter} for chapter in CHAPTERS],
        "paths": paths,
        "components": {"schemas": NOUNS, "securitySchemes": SCHEMES},
    }


def _operations(app: FastAPI) -> dict[tuple[str, bool, str], tuple[str, dict[str, Any]]]:
    """By the key of the row: the path with the names of its parameters, and what the route says."""
    paths = get_openapi(title="", version="", routes=app.routes).get("paths", {})
    return {
        (method.upper(), False, shape(path)): (path, found) for path, item in paths.items() for method, found in item.items()
    }  # fmt: skip


def _security(app: FastAPI) -> dict[tuple[str, bool, str], list[Needs]]:
    """By the key of the row, what a caller has to send: the route's dependencies know whether it needs anybody."""
    found = {}
    for route in iter_route_contexts(app.routes):
        calls = set(_calls(route.dependant)) if hasattr(route, "dependant") else set()
        needed = SIGNED_IN if signed_in in calls else [*SIGNED_IN, {}] if principal in calls else []
        for method in route.methods or ():
            found[method, False, shape(route.path or "")] = needed
    return found


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _calls(one)


def _at_the_door(row: Row) -> list[Needs]:
    """What a row needs that no route of the protocol answers: only content has an owner, who may let everybody in."""
    return [*SIGNED_IN, {}] if row.path.startswith("/content/") else []


def _at_root(row: Row) -> dict[str, Any]:
    """A row that another application answers, as its route would be told."""
    names = re.findall(r"\{([^}]*)\}", row.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in row.asks.items()]
    return {"parameters": parameters, "responses": {row.status or ("200" if row.gives else "204"): {}}}


def _described(row: Row, made: Mapping[str, Any], security: list[Needs]) -> dict[str, Any]:
    """One operation of the document."""
    chapter = next(name for name, rows in CHAPTERS.items() if row in rows)
    words = str(made.get("description", "")).replace("``", "`")
    if row.never:
        words = f"{words} Never succeeds here: {row.never}.".strip()
    found: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "-", f"{row.method.lower()}{row.path}").strip("-") + ("-" if row.path.endswith("/") else ""),
        "summary": row.title,
        "tags": [chapter],
        "parameters": [_parameter(parameter) for parameter in made.get("parameters", [])],
        "responses": _responses(row, made),
        "security": [{"bootstrap": []}] if row.name == BOOTSTRAP else security,
    }  # fmt: skip
    if words:
        found["description"] = words
    if row.takes is not None:
        found["requestBody"] = {"required": True, "content": _content(row.takes)}
    return found


def _responses(row: Row, made: Mapping[str, Any]) -> dict[str, Any]:
    failed = {"description": "Refused, and why", "content": _content(_error(row))}
    busy = {**failed, "description": "Not now; ask again", "headers": {"Retry-After": {"schema": TEXT}}}
    if row.never:
        return {"4XX": failed, "503": busy}
    status = next(code for code in made["responses"] if code[0] in "23")
    if row.gives is None and not row.at_root:
        status = "204"
    good: dict[str, Any] = {"description": "Done"}
    if row.gives is not None:
        good["content"] = _content(row.gives)
    return {status: good, "4XX": failed, "503": busy}


def _error(row: Row) -> Media:
    if row.at_root and row.path.startswith("/oauth/") and row.gives is not None and row.gives.kind == "text/html":
        return row.gives
    return Media(OAUTH_ERROR if row.at_root and row.path.startswith(("/oauth/", "/.well-known/")) else ERROR)


def _content(media: Media) -> dict[str, Any]:
    return {media.kind: {"schema": media.schema}}


def _parameter(found: Mapping[str, Any]) -> dict[str, Any]:
    """With what it means. What may be absent is no type of its own."""
    words, tighter = (PLACES if found["in"] == "path" else QUESTIONS).get(found["name"], ("", {}))
    schema = dict(found["schema"])
    choices = [one for one in schema.pop("anyOf", []) if one.get("type") != "null"]
    schema = {
        name: value
        for name, value in {**schema, **(choices[0] if choices else {}), **tighter}.items()
        if name != "title"
    }
    described = {"name": found["name"], "in": found["in"], "required": found.get("required", False), "schema": schema}
    words = words or str(schema.pop("description", ""))
    return {**described, "description": f"{words}."} if words else described
